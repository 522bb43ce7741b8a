// RFC 7591 with openid-client: a program registers itself with keys of its own, so that whoever handles what it is told
// cannot read it: ID tokens and userinfo come signed and encrypted.
import * as client from "openid-client";
import { browse, end, given } from "./conversation.mjs";

const signs = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
const reads = await crypto.subtle.generateKey(
  { name: "RSA-OAEP", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
  ...[true, ["encrypt", "decrypt"]],
);
const told = async (pair, more) => ({ ...(await crypto.subtle.exportKey("jwk", pair.publicKey)), ...more });
const jwks = {
  keys: [
    await told(signs, { kid: "signs", use: "sig", alg: "ES256", key_ops: undefined }),
    await told(reads, { kid: "reads", use: "enc", alg: "RSA-OAEP-256", key_ops: undefined }),
  ],
};
const encryption = { alg: "RSA-OAEP-256", enc: "A256GCM" };
const config = await client.dynamicClientRegistration(
  new URL(given.issuer),
  {
    client_name: "Programa que se inscribe",
    redirect_uris: [given.redirect_uri],
    token_endpoint_auth_method: "private_key_jwt",
    scope: given.scope,
    jwks,
    id_token_encrypted_response_alg: encryption.alg,
    id_token_encrypted_response_enc: encryption.enc,
    userinfo_signed_response_alg: "ES256",
    userinfo_encrypted_response_alg: encryption.alg,
    userinfo_encrypted_response_enc: encryption.enc,
  },
  client.PrivateKeyJwt({ key: signs.privateKey, kid: "signs" }),
  { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
);
client.enableDecryptingResponses(config, [encryption.enc], { key: reads.privateKey, kid: "reads" });

const pkceCodeVerifier = client.randomPKCECodeVerifier();
const away = client.buildAuthorizationUrl(config, {
  redirect_uri: given.redirect_uri,
  scope: given.scope,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
});
const tokens = await client.authorizationCodeGrant(config, await browse(away), { pkceCodeVerifier });
const person = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
end({ registered: config.clientMetadata(), parts: tokens.id_token.split(".").length, claims: tokens.claims(), person });
