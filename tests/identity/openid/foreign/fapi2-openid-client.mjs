// FAPI 2.0 with openid-client: private_key_jwt, PAR, DPoP with our nonces, iss, PKCE, and requests that are signed too.
import * as client from "openid-client";
import { browse, end, given, privateKey } from "./conversation.mjs";

const key = await privateKey();
const config = await client.discovery(new URL(given.issuer), given.client_id, {}, client.PrivateKeyJwt(key), {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
});
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair(given.dpop_alg));
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedNonce = client.randomNonce();
const asked = {
  redirect_uri: given.redirect_uri,
  scope: given.scope,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  nonce: expectedNonce,
};
const parameters = given.signed
  ? (await client.buildAuthorizationUrlWithJAR(config, asked, key)).searchParams
  : asked;
const away = await client.buildAuthorizationUrlWithPAR(config, parameters, { DPoP });
const back = await browse(away);
const tokens = await client.authorizationCodeGrant(config, back, { pkceCodeVerifier, expectedNonce }, undefined, {
  DPoP,
});
const { sub } = tokens.claims();
const person = await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP });
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
await client.fetchUserInfo(config, renewed.access_token, sub, { DPoP });
const living = await client.tokenIntrospection(config, renewed.access_token);

const borne = await client.fetchUserInfo(config, tokens.access_token, sub).then(
  () => "accepted",
  (problem) => problem.cause?.[0]?.parameters?.error ?? String(problem),
);
end({
  asked: [...away.searchParams.keys()].sort(),
  answered: [...back.searchParams.keys()].sort(),
  type: tokens.token_type,
  claims: tokens.claims(),
  person,
  same_refresh_token: (renewed.refresh_token ?? tokens.refresh_token) === tokens.refresh_token,
  living,
  borne,
});
