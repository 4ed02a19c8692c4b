"""What each parameter of the dance is for, in plain words, with the section it comes from."""

from __future__ import annotations

PURPOSES: dict[str, tuple[str, str]] = {
    "response_type": ("asks for a code, and so for the flow that this is", "RFC 6749 section 4.1.1"),
    "client_id": ("says which app is asking; it is no secret", "RFC 6749 section 2.2"),
    "redirect_uri": ("where the provider sends the person back to; it must be registered", "RFC 6749 section 3.1.2"),
    "scope": ("what the app asks to see, and what it was given", "RFC 6749 section 3.3"),
    "state": ("ties the answer to the browser that asked, so that nobody else's answer fits", "RFC 6749 section 10.12"),
    "code_challenge": ("the hash of a secret that only the app knows", "RFC 7636 section 4.2"),
    "code_challenge_method": ("how the hash was made; S256 is SHA-256", "RFC 7636 section 4.3"),
    "code_verifier": ("the secret behind the challenge: proves that the code comes back from the app that asked", "RFC 7636 section 4.5"),
    "nonce": ("ties the ID token to this login", "OpenID Connect Core section 3.1.2.1"),
    "prompt": ("whether the provider is to ask again, or must not ask", "OpenID Connect Core section 3.1.2.1"),
    "max_age": ("how many seconds ago the person may have signed in at most", "OpenID Connect Core section 3.1.2.1"),
    "login_hint": ("whom the app expects, so that the provider can offer them first", "OpenID Connect Core section 3.1.2.1"),
    "access_type": ("offline asks for a refresh token", "Google's own"),
    "id_token_hint": ("an ID token that the app has got before: says who is to be logged out, and for whom", "OpenID Connect RP-Initiated Logout section 2"),
    "post_logout_redirect_uri": ("where to go after the log-out; it must be registered", "OpenID Connect RP-Initiated Logout section 3"),
    "code": ("stands for what the person allowed; good once, for a minute, with the client secret", "RFC 6749 section 4.1.2"),
    "iss": ("says which provider answers, so that two cannot be mixed up", "RFC 9207 section 2"),
    "error": ("what went wrong, as one of a few fixed words", "RFC 6749 sections 4.1.2.1 and 5.2"),
    "error_description": ("what went wrong, as a sentence for the developer", "RFC 6749 sections 4.1.2.1 and 5.2"),
    "grant_type": ("says what is to be exchanged: a code or a refresh token", "RFC 6749 sections 4.1.3 and 6"),
    "client_secret": ("proves that the app itself is asking; never goes through the browser", "RFC 6749 section 2.3.1"),
    "access_token": ("opens the person's profile to whoever holds it", "RFC 6749 section 1.4"),
    "token_type": ("how to send the token; Bearer means as it is, in a header", "RFC 6749 section 7.1"),
    "expires_in": ("for how many seconds the token is good", "RFC 6749 section 5.1"),
    "refresh_token": ("gets a new access token without asking the person", "RFC 6749 section 1.5"),
    "token": ("the token to take back", "RFC 7009 section 2.1"),
    "token_type_hint": ("which kind of token it is; the provider may look for it among the others too", "RFC 7009 section 2.1"),
    "id_token": ("says who logged in, signed by the provider", "OpenID Connect Core section 2"),
    "Authorization": ("carries the access token, or the app's id and secret", "RFC 6750 section 2.1, RFC 6749 section 2.3.1"),
    "Location": ("where the browser goes next", "RFC 9110 section 10.2.2"),
    "WWW-Authenticate": ("what is missing to be let in", "RFC 6750 section 3"),
    "issuer": ("who the provider is; must be the address that the app has been given, and the iss of each ID token", "OpenID Connect Discovery section 4.3"),
    "jwks_uri": ("where the keys are that ID tokens are checked with", "OpenID Connect Discovery section 3"),
    "id_token_signing_alg_values_supported": ("how ID tokens are signed; an app had better pin what it expects", "OpenID Connect Discovery section 3"),
    "end_session_endpoint": ("where to send the person to log out at the provider too", "OpenID Connect RP-Initiated Logout section 2.1"),
    "keys": ("the public keys, one of which has signed the ID token", "RFC 7517 section 5"),
    "sub": ("who it is, by a name that never changes and is nobody else's at this issuer", "OpenID Connect Core section 5.7"),
    "person": ("who you chose to be; a real provider asks for a password here", "this fake's own"),
    "decision": ("what you clicked on the consent page", "this fake's own"),
}  # fmt: skip


def purpose(name: str) -> tuple[str, str] | None:
    """Return what the parameter is for and its source, or None for one that is not of the dance."""
    return PURPOSES.get(name)
