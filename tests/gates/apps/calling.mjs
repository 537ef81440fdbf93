// The apps of calling.py under Node's own HTTP server and client.
import { createServer, request as call, Agent } from "node:http";
import { randomBytes } from "node:crypto";

const NAMES = ["traceparent", "tracestate", "baggage", "x-mirascope-session-id"];
const agent = new Agent({ keepAlive: true });
const hex = (bytes) => randomBytes(bytes).toString("hex");
let kept = null;
let number = 0;

function outgoing(fault, came) {
  const headers = Object.fromEntries(NAMES.filter((name) => came[name]).map((name) => [name, came[name]]));
  const [version, trace, , flags] = headers.traceparent.split("-");
  const span = hex(8);
  headers.traceparent = `${version}-${trace}-${span}-${flags}`;
  if (fault === "drops") return {};
  if (fault === "remints") headers.traceparent = `${version}-${hex(16)}-${span}-${flags}`;
  if (fault === "stories") headers.b3 = `${hex(16)}-${span}-1`;
  if (fault === "flips") headers.traceparent = `${version}-${trace}-${span}-${flags === "01" ? "00" : "01"}`;
  if (fault === "state") delete headers.tracestate;
  if (fault === "baggage") for (const name of ["baggage", "x-mirascope-session-id"]) delete headers[name];
  if (fault === "format") return { "uber-trace-id": `${trace}:${span}:0:1` };
  if (fault === "stale") return (kept ??= headers);
  return headers;
}

function ask(port, headers, done) {
  const asked = call({ host: "127.0.0.1", port, path: "/", agent, headers: { ...headers, host: "billing.internal" } });
  asked.on("response", (answer) => answer.resume().on("end", done));
  asked.on("error", done);
  asked.end();
}

const server = createServer((request, response) => {
  const fault = request.url.slice(1);
  const headers = outgoing(fault, request.headers);
  const port = request.headers["x-outbound"];
  ask(port, headers, () => {
    response.end("ok");
    number += 1;
    if (fault === "clean" && number % 10 === 0) setTimeout(() => ask(port, headers, () => {}), 50);
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
