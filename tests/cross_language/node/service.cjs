// A Node.js service on the official OpenTelemetry packages, as any team would write it: nothing here knows of `ops`.
//
// GET /relay?to=URL   calls URL and answers {saw, answer}: the headers that came in, and what URL answered
// GET /start?to=URL   the same with no context coming in: Node starts the trace
// GET /spans          the finished spans of this process, then forgets them
//
// Format of both directions: environment FORMAT = tracecontext | b3 | b3multi | jaeger. RATIO=0 samples nothing of its own.
// COLLECTOR=URL sends its spans there as well, as the service SERVICE.
// Prints one line, the port, when it listens; ends when its standard input closes.
"use strict";

const { propagation } = require("@opentelemetry/api");
const { W3CTraceContextPropagator } = require("@opentelemetry/core");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { B3Propagator, B3InjectEncoding } = require("@opentelemetry/propagator-b3");
const { JaegerPropagator } = require("@opentelemetry/propagator-jaeger");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const {
  InMemorySpanExporter,
  NodeTracerProvider,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
} = require("@opentelemetry/sdk-trace-node");

const propagators = {
  tracecontext: () => new W3CTraceContextPropagator(),
  b3: () => new B3Propagator({ injectEncoding: B3InjectEncoding.SINGLE_HEADER }),
  b3multi: () => new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER }),
  jaeger: () => new JaegerPropagator(),
};

const exporter = new InMemorySpanExporter();
const processors = [new SimpleSpanProcessor(exporter)];
if (process.env.COLLECTOR) {
  const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
  processors.push(new SimpleSpanProcessor(new OTLPTraceExporter({ url: `${process.env.COLLECTOR}/v1/traces` })));
}
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": process.env.SERVICE ?? "node" }),
  sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(Number(process.env.RATIO ?? 1)) }),
  spanProcessors: processors,
});
provider.register({ propagator: propagators[process.env.FORMAT]() });
registerInstrumentations({ instrumentations: [new HttpInstrumentation()] });

const http = require("node:http"); // after registerInstrumentations, which wraps it

/** GET `url` with the extra `headers`; resolves to the parsed JSON. */
function fetchJson(url, headers) {
  return new Promise((resolve, reject) => {
    http.get(url, { headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    }).on("error", reject);
  });
}

const kinds = ["internal", "server", "client"];
function finishedSpans() {
  const spans = exporter.getFinishedSpans().map((span) => ({
    name: span.name,
    kind: kinds[span.kind],
    trace_id: span.spanContext().traceId,
    span_id: span.spanContext().spanId,
    parent_id: span.parentSpanContext?.spanId ?? null,
  }));
  exporter.reset();
  return spans;
}

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  const answer = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  try {
    if (url.pathname === "/spans") return answer(200, finishedSpans());
    // OpenTelemetry carries the trace; the session is a header like any other, passed on by hand.
    const session = request.headers["x-mirascope-session-id"];
    const passed = session === undefined ? {} : { "x-mirascope-session-id": session };
    const answered = await fetchJson(url.searchParams.get("to"), passed);
    return answer(200, { saw: request.headers, fields: propagation.fields(), answer: answered });
  } catch (error) {
    return answer(502, { error: String(error) });
  }
});

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit(0));
