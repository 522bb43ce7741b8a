// FAPI 2.0 with oauth4webapi, where each retry with a nonce is the caller's to make (RFC 9449 8).
import * as oauth from "oauth4webapi";
import { browse, end, given, privateKey } from "./conversation.mjs";

const http = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(given.issuer);
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, http));
const client = { client_id: given.client_id };
const authentication = oauth.PrivateKeyJwt(await privateKey());
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair(given.dpop_alg));
const options = { DPoP, ...http };
let retries = 0;

async function withNonce(ask, process) {
  try {
    return await process(await ask());
  } catch (problem) {
    if (!oauth.isDPoPNonceError(problem)) throw problem;
    retries += 1;
    return process(await ask());
  }
}

const verifier = oauth.generateRandomCodeVerifier();
const asked = {
  client_id: client.client_id,
  response_type: "code",
  redirect_uri: given.redirect_uri,
  scope: given.scope,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
};
const { request_uri } = await withNonce(
  () => oauth.pushedAuthorizationRequest(as, client, authentication, asked, options),
  (response) => oauth.processPushedAuthorizationResponse(as, client, response),
);
const away = new URL(as.authorization_endpoint);
away.search = new URLSearchParams({ client_id: client.client_id, request_uri });
const parameters = oauth.validateAuthResponse(as, client, await browse(away), oauth.expectNoState);
let answered;
const tokens = await withNonce(
  () =>
    oauth.authorizationCodeGrantRequest(as, client, authentication, parameters, given.redirect_uri, verifier, options),
  (response) => {
    answered = response;
    return oauth.processAuthorizationCodeResponse(as, client, response, { requireIdToken: true });
  },
);
await oauth.validateApplicationLevelSignature(as, answered, http);
const claims = oauth.getValidatedIdTokenClaims(tokens);
const person = await withNonce(
  () => oauth.userInfoRequest(as, client, tokens.access_token, options),
  (response) => oauth.processUserInfoResponse(as, client, claims.sub, response),
);
end({ type: tokens.token_type, claims, person, retries });
