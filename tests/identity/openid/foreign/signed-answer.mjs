// JARM with openid-client: the answer comes back through the browser as a token that we signed.
import * as client from "openid-client";
import { browse, end, given } from "./conversation.mjs";

const config = await client.discovery(new URL(given.issuer), given.client_id, given.metadata, undefined, {
  execute: [client.allowInsecureRequests, client.useJwtResponseMode],
});
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const away = client.buildAuthorizationUrl(config, {
  redirect_uri: given.redirect_uri,
  scope: given.scope,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: expectedState,
});
const back = await browse(away);
const tokens = await client.authorizationCodeGrant(config, back, { pkceCodeVerifier, expectedState });
const person = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
end({ answered: [...back.searchParams.keys()], claims: tokens.claims(), person });
