// RFC 8628 with openid-client: a device without a browser waits while the person agrees on another one.
import * as client from "openid-client";
import { end, given, visit } from "./conversation.mjs";

const config = await client.discovery(new URL(given.issuer), given.client_id, given.client_secret, undefined, {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
});
const started = await client.initiateDeviceAuthorization(config, { scope: given.scope });
await visit(started.verification_uri_complete);
const tokens = await client.pollDeviceAuthorizationGrant(config, started);
const person = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
end({ code: started.user_code, claims: tokens.claims(), person });
