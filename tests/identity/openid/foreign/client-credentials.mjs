// An agency's system with oauth4webapi: it finds who gives tokens (RFC 9728), gets one bound to its key, and another
// service, which has the same library, verifies it without asking us (RFC 9068).
import * as oauth from "oauth4webapi";
import { end, given, privateKey } from "./conversation.mjs";

const http = { [oauth.allowInsecureRequests]: true };
const place = new URL(given.resource);
const resource = await oauth.processResourceDiscoveryResponse(place, await oauth.resourceDiscoveryRequest(place, http));
const issuer = new URL(resource.authorization_servers[0]);
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, http));
const client = { client_id: given.client_id };
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
const tokens = await oauth.processClientCredentialsResponse(
  ...[as, client],
  await oauth.clientCredentialsGrantRequest(
    ...[as, client, oauth.PrivateKeyJwt(await privateKey()), { scope: given.scope, resource: given.resource }],
    { DPoP, ...http },
  ),
);

let verified;
await oauth.protectedResourceRequest(tokens.access_token, "GET", new URL("http://localhost:9/of-the-other"), null, null, {
  DPoP,
  ...http,
  [oauth.customFetch]: async (address, sent) => {
    const asked = new Request(address, { method: sent.method, headers: sent.headers });
    verified = await oauth.validateJwtAccessToken(as, asked, given.resource, { requireDPoP: true, ...http });
    return new Response();
  },
});
const call = (options) =>
  oauth.protectedResourceRequest(tokens.access_token, "GET", new URL(given.page), null, null, { ...options, ...http });
const borne = await call({}).then(
  () => "accepted",
  (problem) => problem.cause?.[0]?.parameters?.error ?? String(problem),
);
end({ type: tokens.token_type, verified, called: (await call({ DPoP })).status, borne });
