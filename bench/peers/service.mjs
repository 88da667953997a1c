// What engines call: a Restate workflow of one step, and the same step as a plain HTTP function for flowgate. Both count, so
// that a benchmark knows when everything it started has run.
//
// service.mjs RESTATE-PORT HTTP-PORT. On the second port GET answers how often each was called, everything else is a call.
import { createServer } from "node:http";
import * as restate from "@restatedev/restate-sdk";

// The SDK uses it; Node has it from version 22 on.
Promise.withResolvers ??= function () {
  const parts = {};
  parts.promise = new this((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};

const [restatePort, httpPort] = process.argv.slice(2).map(Number);
const calls = { restate: 0, http: 0 };

const bench = restate.workflow({
  name: "bench",
  handlers: {
    run: (context) =>
      context.run("step", () => {
        calls.restate += 1;
        return { done: true };
      }),
  },
});
await restate.endpoint().bind(bench).listen(restatePort);

createServer((request, response) => {
  request.resume().on("end", () => {
    if (request.method !== "GET") calls.http += 1;
    const body = request.method === "GET" ? JSON.stringify(calls) : '{"done":true}';
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
  });
}).listen(httpPort, "127.0.0.1");
