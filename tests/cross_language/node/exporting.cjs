// One trace by the official SDK, sent to the collector in COLLECTOR, in JSON or protobuf or over gRPC as KIND says. Prints its id.
const { trace, SpanStatusCode } = require('@opentelemetry/api');
const { NodeTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-node');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${process.env.KIND}`);

const path = process.env.KIND === 'grpc' ? '' : '/v1/traces';
const exporter = new OTLPTraceExporter({ url: `${process.env.COLLECTOR}${path}` });
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'node-shop', 'service.version': '1.2' }),
  spanProcessors: [new SimpleSpanProcessor(exporter)],
});
provider.register();
const tracer = provider.getTracer('made-by-node');
tracer.startActiveSpan('outer', outer => {
  tracer.startActiveSpan('inner', { attributes: { list: ['a', 'b'], half: 0.5, yes: true, n: 7 } }, inner => {
    inner.addEvent('paid', { amount: 3 });
    inner.setStatus({ code: SpanStatusCode.ERROR, message: 'no money' });
    inner.end();
  });
  console.log(outer.spanContext().traceId);
  outer.end();
});
provider.shutdown();
