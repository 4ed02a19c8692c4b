// The certified client openid-client logs in at the provider whose issuer is given, uses what it gets, and logs out.
// What it saw is printed as JSON. openid-client itself checks signature, issuer, audience, nonce, state and at_hash.
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto; // Node 18 has it under this name alone
globalThis.CryptoKey ??= webcrypto.CryptoKey;
const client = await import("openid-client");

const [issuer, clientId, secret, redirectUri, scope, person] = process.argv.slice(2);
const config = await client.discovery(new URL(issuer), clientId, secret, undefined, {
  execute: [client.allowInsecureRequests], // plain http, on this machine
});
const metadata = config.serverMetadata();

const verifier = client.randomPKCECodeVerifier();
const checks = { pkceCodeVerifier: verifier, expectedNonce: client.randomNonce(), expectedState: client.randomState() };
const request = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri,
  scope,
  state: checks.expectedState,
  nonce: checks.expectedNonce,
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  access_type: "offline", // what Google wants to hear for a refresh token
});

let cookie = "";
async function visit(url, form) {
  const init = { redirect: "manual", headers: { cookie } };
  const reply = await fetch(url, form ? { ...init, method: "POST", body: new URLSearchParams(form) } : init);
  cookie = reply.headers.get("set-cookie")?.split(";")[0] ?? cookie;
  return reply;
}
async function refusal(promise) {
  try {
    await promise;
    return "accepted";
  } catch (error) {
    return error.error ?? error.code ?? String(error);
  }
}

await visit(request, { person });
const answer = new URL((await visit(request, { decision: "allow" })).headers.get("location"));
const tokens = await client.authorizationCodeGrant(config, answer, { ...checks, idTokenExpected: true });
const claims = tokens.claims();
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
await client.tokenRevocation(config, refreshed.access_token);
const afterRevocation = await refusal(client.fetchUserInfo(config, refreshed.access_token, claims.sub));

let logout = null;
if (metadata.end_session_endpoint) {
  const parameters = { id_token_hint: tokens.id_token, post_logout_redirect_uri: new URL("/", redirectUri).href, state: "bye" };
  const back = await visit(client.buildEndSessionUrl(config, parameters));
  const silent = new URL(request);
  silent.searchParams.set("prompt", "none");
  const asked = await visit(silent);
  logout = { to: back.headers.get("location"), then: new URL(asked.headers.get("location")).searchParams.get("error") };
}

console.log(
  JSON.stringify({
    node: process.version,
    claims: Object.keys(claims),
    sub: claims.sub,
    userinfo,
    refreshedSub: refreshed.claims()?.sub,
    rotated: refreshed.refresh_token !== undefined && refreshed.refresh_token !== tokens.refresh_token,
    afterRevocation,
    logout,
  }),
);
