// The same with oauth4webapi, which openid-client is built on, step by step: Basic, form_post left aside, RFC 8414.
import * as oauth from "oauth4webapi";
import { browse, end, given } from "./conversation.mjs";

const http = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(given.issuer);
const discovered = async (algorithm) =>
  oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm, ...http }));
const as = await discovered("oauth2");
const same = JSON.stringify(as) === JSON.stringify(await discovered("oidc"));
const client = { client_id: given.client_id };
const authentication = oauth.ClientSecretBasic(given.client_secret);

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const nonce = oauth.generateRandomNonce();
const away = new URL(as.authorization_endpoint);
away.search = new URLSearchParams({
  client_id: client.client_id,
  response_type: "code",
  redirect_uri: given.redirect_uri,
  scope: given.scope,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
  nonce,
});
const parameters = oauth.validateAuthResponse(as, client, await browse(away), state);
const answered = await oauth.authorizationCodeGrantRequest(
  ...[as, client, authentication, parameters, given.redirect_uri, verifier, http],
);
const expected = { expectedNonce: nonce, requireIdToken: true };
const tokens = await oauth.processAuthorizationCodeResponse(as, client, answered, expected);
await oauth.validateApplicationLevelSignature(as, answered, http);
const claims = oauth.getValidatedIdTokenClaims(tokens);

const told = await oauth.userInfoRequest(as, client, tokens.access_token, http);
const person = await oauth.processUserInfoResponse(as, client, claims.sub, told);

const refreshed = await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token, http);
const renewed = await oauth.processRefreshTokenResponse(as, client, refreshed);
const introspect = async (token) =>
  oauth.processIntrospectionResponse(
    ...[as, client, await oauth.introspectionRequest(as, client, authentication, token, http)],
  );
const living = await introspect(renewed.access_token);
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, authentication, renewed.access_token, http),
);
const revoked = await introspect(renewed.access_token);
end({ same, claims, person, living, revoked });
