// An app under Node's own HTTP server. Prints the address that it listens on.
import { createServer } from "node:http";

const server = createServer((request, response) => response.end("ok"));
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
