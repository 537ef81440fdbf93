// Billing: an old Node.js service that knows one trace header, uber-trace-id, as Jaeger's former clients wrote it.
//
//   node billing.js HOST PORT NEXT-URL       POST /charges calls NEXT-URL; GET /healthz answers
//
// Node's http client does not look at HTTP_PROXY. So NEXT-URL names a host that leads to the sidecar, which routes by Host.
// What it answers has the shape of proxy/demo/hops.py. No dependency.
"use strict";

const { randomBytes } = require("node:crypto");
const http = require("node:http");

const [host, port, next] = process.argv.slice(2);
const collector = process.env.OTEL_EXPORTER_OTLP_ENDPOINT; // takes its own spans; without it, none are told
const SESSION = "x-mirascope-session-id";
const SAMPLING = { 0: "deny", 1: "accept", 3: "debug" };
const TRACE_HEADER =
  /^(traceparent|tracestate|baggage|b3|x-b3-.*|uber-trace-id|uberctx-.*|jaeger-.*|(x-)?mirascope-session-id)$/i;

/** The span of the caller; null without a header that this service knows. */
function read(headers) {
  const found = /^([0-9a-f]{1,32}):([0-9a-f]{1,16}):[0-9a-f]{1,16}:([0-9a-f]{1,2})$/.exec(headers["uber-trace-id"] || "");
  return found && { traceId: found[1], spanId: found[2], flags: parseInt(found[3], 16) & 3 };
}

/** Trace headers as they came, in order and case. */
function traceHeaders(raw) {
  const pairs = [];
  for (let at = 0; at < raw.length; at += 2) if (TRACE_HEADER.test(raw[at])) pairs.push([raw[at], raw[at + 1]]);
  return pairs;
}

function call(url, headers) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: "POST", headers, timeout: 10_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => (text += part));
      response.on("end", () => {
        try {
          const answer = JSON.parse(text);
          if (Array.isArray(answer.hops)) return resolve(answer);
        } catch {} // said below
        reject(new Error(`answered ${response.statusCode}: ${text.slice(0, 300)}`));
      });
    });
    request.on("timeout", () => request.destroy(new Error("no answer in 10 s")));
    request.on("error", reject);
    request.end("{}");
  });
}

/** Tells the collector of its own span, as OTLP in JSON. A collector that is gone changes nothing. */
function report(name, own, parentId, start) {
  if (!collector || !(own.flags & 1)) return;
  const nanoseconds = (ms) => `${Math.round(ms * 1000)}000`;
  const span = {
    traceId: own.traceId.padStart(32, "0"),
    spanId: own.spanId,
    parentSpanId: parentId,
    name,
    kind: 2,
    startTimeUnixNano: nanoseconds(start),
    endTimeUnixNano: nanoseconds(performance.timeOrigin + performance.now()),
  };
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "billing" } }] };
  const body = { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "demo" }, spans: [span] }] }] };
  const headers = { "Content-Type": "application/json" };
  fetch(`${collector}/v1/traces`, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => {});
}

async function charge(request) {
  const start = performance.timeOrigin + performance.now();
  const span = read(request.headers);
  const session = request.headers[SESSION] || null;
  const own = {
    traceId: span ? span.traceId : randomBytes(16).toString("hex"),
    spanId: randomBytes(8).toString("hex"),
    flags: span ? span.flags : 1,
  };
  const sent = [["uber-trace-id", `${own.traceId}:${own.spanId}:${span ? span.spanId : 0}:${own.flags}`]];
  if (session) sent.push(["X-Mirascope-Session-Id", session]);
  const hop = {
    service: "billing",
    speaks: "jaeger",
    path: request.url,
    saw: traceHeaders(request.rawHeaders),
    trace_id: span ? span.traceId : null,
    span_id: span ? span.spanId : null,
    sampling: span ? SAMPLING[span.flags] || "deny" : null,
    parent_id: null,
    tracestate: null,
    session,
    sent,
    sent_span_id: own.spanId,
  };
  try {
    const headers = { ...Object.fromEntries(sent), "Content-Type": "application/json", Accept: "application/json" };
    const further = await call(next, headers);
    report(`${request.method} ${request.url}`, own, span ? span.spanId : "", start);
    return { hops: [hop, ...further.hops], errors: further.errors };
  } catch (error) {
    return { hops: [hop], errors: [`billing: ${next} did not answer: ${error.message}`] };
  }
}

const server = http.createServer(async (request, response) => {
  request.resume();
  const { pathname } = new URL(request.url, "http://billing");
  const known = { "/healthz": async () => ({ service: "billing" }), "/charges": () => charge(request) }[pathname];
  const answer = known ? await known() : { errors: [`no such path: ${pathname}`], hops: [] };
  response.writeHead(known ? (answer.errors && answer.errors.length ? 502 : 200) : 404, {
    "Content-Type": "application/json",
  });
  response.end(JSON.stringify(answer) + "\n");
});
server.listen(Number(port), host);
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => server.close(() => process.exit(0)));
