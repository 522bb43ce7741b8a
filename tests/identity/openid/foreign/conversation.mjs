// One flow, talked over with the test in lines of JSON: the test gives the settings, plays the person with the browser
// when a line says where to go, and reads what came out.
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const hear = async () => JSON.parse((await lines.next()).value);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

export const given = await hear();

/** Where the person's browser ends that goes to the address. */
export async function browse(address) {
  say({ go: String(address) });
  return new URL(await hear());
}

/** A person opens a page elsewhere, does what it asks, and stays there. */
export async function visit(address) {
  say({ visit: String(address) });
  await hear();
}

/** The last word. */
export function end(found) {
  say({ found });
  process.stdin.destroy();
}

const ALGORITHMS = {
  ES256: { name: "ECDSA", namedCurve: "P-256" },
  PS256: { name: "RSA-PSS", hash: "SHA-256" },
  EdDSA: { name: "Ed25519" },
};

/** The client's private key, as these libraries want it: a key of Web Crypto with its name. */
export async function privateKey() {
  const key = await crypto.subtle.importKey("jwk", given.jwk, ALGORITHMS[given.alg], false, ["sign"]);
  return { key, kid: given.jwk.kid };
}
