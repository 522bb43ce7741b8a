// RFC 9101 with openid-client: the request travels through the browser as an object that the client signed.
import * as client from "openid-client";
import { browse, end, given, privateKey } from "./conversation.mjs";

const config = await client.discovery(new URL(given.issuer), given.client_id, given.client_secret, undefined, {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
});
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const asked = {
  redirect_uri: given.redirect_uri,
  scope: given.scope,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: expectedState,
};
const away = await client.buildAuthorizationUrlWithJAR(config, asked, await privateKey());
const tokens = await client.authorizationCodeGrant(config, await browse(away), { pkceCodeVerifier, expectedState });
const person = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
end({ asked: [...away.searchParams.keys()].sort(), claims: tokens.claims(), person });
