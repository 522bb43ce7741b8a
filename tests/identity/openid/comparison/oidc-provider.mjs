// npm's oidc-provider with the clients that the test gives, everything kept in memory, and a sign-in page of two forms.
import http from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const lines = createInterface({ input: process.stdin });
lines.on("close", () => process.exit()); // the test has ended
const given = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);
const scopes = ["openid", "name", "email", "offline_access"];

const server = http.createServer((request, response) => {
  if (!request.url.startsWith("/interaction/")) return answer(request, response);
  return interact(request, response).catch((error) => response.writeHead(500).end(String(error)));
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const issuer = `http://localhost:${server.address().port}`;

const provider = new Provider(issuer, {
  jwks: { keys: [given.jwk] },
  cookies: { keys: ["a key for a comparison"] },
  clients: given.clients,
  scopes,
  responseTypes: ["code"],
  claims: { openid: ["sub"], name: ["name"], email: ["email"] },
  clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
  enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
  clientDefaults: { id_token_signed_response_alg: "ES256" },
  features: {
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    deviceFlow: { enabled: true },
    dPoP: { enabled: true },
    introspection: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    requestObjects: { enabled: true },
    revocation: { enabled: true },
  },
  rotateRefreshToken: true,
  pkce: { required: () => true },
  issueRefreshToken: async (_, client) => client.grantTypeAllowed("refresh_token"),
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: "Ana", email: "ana@example.cl" }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  renderError: (ctx, out) => Object.assign(ctx, { type: "json", body: out }),
});
const answer = provider.callback();

const page = (fields) => `<!doctype html><form method="post">${fields}</form>`;
const SIGN_IN = page('<input name="run"><input name="password"><button>Sign in</button>');
const CONSENT = page('<button name="decision" value="allow">Agree</button>');

async function interact(request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (request.method === "GET") {
    return response.setHeader("content-type", "text/html").end(prompt.name === "login" ? SIGN_IN : CONSENT);
  }
  let body = "";
  for await (const chunk of request) body += chunk;
  let result;
  if (prompt.name === "login") {
    result = { login: { accountId: new URLSearchParams(body).get("run") } };
  } else {
    const grant = grantId
      ? await provider.Grant.find(grantId)
      : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(scopes.join(" "));
    result = { consent: { grantId: await grant.save() } };
  }
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

process.stdout.write(`${JSON.stringify({ address: issuer })}\n`);
