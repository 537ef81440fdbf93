// Reads baggage out of headers (JSON, the first argument) with OpenTelemetry's own propagators, and prints its entries.
const { ROOT_CONTEXT, defaultTextMapGetter, propagation } = require("@opentelemetry/api");
const { W3CBaggagePropagator } = require("@opentelemetry/core");
const { JaegerPropagator } = require("@opentelemetry/propagator-jaeger");

const headers = JSON.parse(process.argv[2]);
const read = (propagator) => {
  const baggage = propagation.getBaggage(propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter));
  return Object.fromEntries((baggage?.getAllEntries() ?? []).map(([key, entry]) => [key, entry.value]));
};
console.log(JSON.stringify({ w3c: read(new W3CBaggagePropagator()), jaeger: read(new JaegerPropagator()) }));
