// FAPI 2.0 with openid-client and mutual TLS (RFC 8705): the certificate proves who the client is, and binds its tokens.
import https from "node:https";
import * as client from "openid-client";
import { browse, end, given } from "./conversation.mjs";

/** What the library calls in place of fetch, which in Node shows no certificate: https with one, or without. */
const fetching = (shown) => async (address, { method, headers, body }) => {
  if (!String(address).startsWith("https:")) return fetch(address, { method, headers, body });
  return new Promise((resolve, reject) => {
    const asked = https.request(address, { method, headers, ca: given.authority, ...shown }, async (answer) => {
      const parts = [];
      for await (const part of answer) parts.push(part);
      resolve(new Response(Buffer.concat(parts), { status: answer.statusCode, headers: answer.headers }));
    });
    asked.on("error", reject).end(body ? String(body) : undefined);
  });
};

async function configured(shown) {
  const metadata = { use_mtls_endpoint_aliases: true };
  const config = await client.discovery(new URL(given.issuer), given.client_id, metadata, client.TlsClientAuth(), {
    execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
    [client.customFetch]: fetching(shown),
  });
  return config;
}

const refused = (doing) =>
  doing.then(
    () => "accepted",
    (problem) => problem.error ?? problem.cause?.[0]?.parameters?.error ?? String(problem),
  );

const config = await configured({ key: given.key, cert: given.certificate });
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const asked = {
  redirect_uri: given.redirect_uri,
  scope: given.scope,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
};
const back = await browse(await client.buildAuthorizationUrlWithPAR(config, asked));
const tokens = await client.authorizationCodeGrant(config, back, { pkceCodeVerifier });
const { sub } = tokens.claims();
const person = await client.fetchUserInfo(config, tokens.access_token, sub);
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
const living = await client.tokenIntrospection(config, renewed.access_token);

const without = await configured({});
const another = await configured({ key: given.another.key, cert: given.another.certificate });
end({
  endpoint: config.serverMetadata().mtls_endpoint_aliases.token_endpoint,
  type: tokens.token_type,
  claims: tokens.claims(),
  person,
  living,
  refused: {
    "no certificate at PAR": await refused(client.buildAuthorizationUrlWithPAR(without, asked)),
    "another certificate at PAR": await refused(client.buildAuthorizationUrlWithPAR(another, asked)),
    "no certificate at userinfo": await refused(client.fetchUserInfo(without, renewed.access_token, sub)),
    "another certificate at userinfo": await refused(client.fetchUserInfo(another, renewed.access_token, sub)),
    "another certificate with the refresh token": await refused(client.refreshTokenGrant(another, tokens.refresh_token)),
  },
});
