// An app under Node's own HTTP server that makes a call for each request and forwards nothing: see calling.py.
import { createServer, get } from "node:http";

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://a");
  get({ host: "127.0.0.1", port: searchParams.get("port"), path: pathname }, (answer) => {
    answer.resume();
    answer.on("end", () => response.end("ok"));
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
