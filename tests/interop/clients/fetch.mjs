// Drives a list of calls with node's fetch. Arguments: the file of calls, the base URL. Format of both files: see calls.py.
import { readFileSync } from "node:fs";

const [file, base] = process.argv.slice(2);
const decode = (text) => Buffer.from(text, "base64");
for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
  const [name, method, path, fields, body] = line.split("\t");
  const headers = decode(fields).toString("latin1").split("\n").filter(Boolean).map((field) => field.split(/: ?(.*)/s, 2));
  const answer = await fetch(base + path, { method, headers, redirect: "manual", body: body === "-" ? undefined : decode(body) });
  const content = Buffer.from(await answer.arrayBuffer());
  const seen = [...answer.headers].map(([key, value]) => `${key}: ${value}`).join("\n");
  console.log([name, answer.status, Buffer.from(seen, "latin1").toString("base64"), content.toString("base64")].join("\t"));
}
