// A server that receives events of Cordillera, in Node and without a library.
//
// With the library `standardwebhooks` the function `verify` is one line: `new Webhook(secret).verify(body, headers)`.
//
// WEBHOOK_SECRET=whsec_… PORT=3000 node webhooks.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
const received = new Set(); // yours is a table of your database, with the identifier as its key

// Standard Webhooks: one of the signatures is right, over the very bytes that came, and the time is ours.
function verify(body, headers) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return null;
  const right = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  const isSigned = signatures.split(" ").some((one) => {
    const [version, signature = ""] = one.split(",");
    const given = Buffer.from(signature, "base64");
    return version === "v1" && given.length === right.length && timingSafeEqual(given, right);
  });
  return isSigned ? JSON.parse(body) : null;
}

const server = createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const event = verify(Buffer.concat(pieces).toString(), request.headers);
  if (event && !received.has(request.headers["webhook-id"])) {
    console.log(event.type, JSON.stringify(event.data));
    received.add(request.headers["webhook-id"]);
  }
  response.writeHead(event ? 204 : 400).end();
});
server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("listening"));
