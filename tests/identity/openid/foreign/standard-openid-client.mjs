// openid-client as its README has it: discovery, PKCE, nonce, state, userinfo, refresh, introspection, revocation, logout.
import * as client from "openid-client";
import { browse, end, given } from "./conversation.mjs";

const config = await client.discovery(new URL(given.issuer), given.client_id, given.client_secret, undefined, {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
});
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const expectedNonce = client.randomNonce();
const back = await browse(
  client.buildAuthorizationUrl(config, {
    redirect_uri: given.redirect_uri,
    scope: given.scope,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: expectedState,
    nonce: expectedNonce,
    max_age: "600",
  }),
);
const checks = { pkceCodeVerifier, expectedState, expectedNonce, maxAge: 600, idTokenExpected: true };
const tokens = await client.authorizationCodeGrant(config, back, checks);
const { sub } = tokens.claims();
const person = await client.fetchUserInfo(config, tokens.access_token, sub);

const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
await client.fetchUserInfo(config, renewed.access_token, sub);
const living = await client.tokenIntrospection(config, renewed.access_token);
await client.tokenRevocation(config, renewed.refresh_token);
const revoked = await client.tokenIntrospection(config, renewed.access_token);

const left = await browse(
  client.buildEndSessionUrl(config, {
    post_logout_redirect_uri: given.post_logout_redirect_uri,
    id_token_hint: tokens.id_token,
    state: "left",
  }),
);
end({ claims: tokens.claims(), person, renewed: renewed.claims() ?? null, living, revoked, left });
