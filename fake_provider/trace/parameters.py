"""A table of the parameters of OAuth 2.0 and OpenID Connect: purpose, source, what goes wrong without it, is it secret.

The pages, `GET /_trace` and the comparison of logins read their explanations from here.
"""

from __future__ import annotations

from typing import NamedTuple


class ParameterInfo(NamedTuple):
    """What is known about one parameter.

    `source` names the section that defines it, `without_it` says what goes wrong when it is missing, and the value of
    a secret stays hidden until the user clicks on it.
    """

    purpose: str
    source: str
    without_it: str = ""
    is_secret: bool = False


PARAMETERS: dict[str, ParameterInfo] = {
    "response_type": ParameterInfo("asks for a code, and so for the flow that this is", "RFC 6749 section 4.1.1", "Without it the provider does not know which flow is meant, and refuses."),
    "client_id": ParameterInfo("says which app is asking; it is no secret", "RFC 6749 section 2.2", "Without it nobody can say who is asking, and the person is shown an error."),
    "redirect_uri": ParameterInfo("where the provider sends the person back to; it must be registered", "RFC 6749 section 3.1.2", "Without it an app with several addresses gets no answer. Unchecked, anybody could name one."),
    "scope": ParameterInfo("what the app asks to see, and what it was given", "RFC 6749 section 3.3", "Without it the app gets what the provider gives to everybody, mostly only who somebody is."),
    "state": ParameterInfo("ties the answer to the browser that asked, so that nobody else's answer fits", "RFC 6749 section 10.12", "Without it somebody can hand you a link that logs you into their account, and you would not notice."),
    "code_challenge": ParameterInfo("the hash of a secret that only the app knows", "RFC 7636 section 4.2", "Without it a code that was read on the way can be put into a login of the thief's own."),
    "code_challenge_method": ParameterInfo("how the hash was made; S256 is SHA-256", "RFC 7636 section 4.3", "Without it the challenge is the verifier itself, and whoever reads one has both."),
    "code_verifier": ParameterInfo("the secret behind the challenge: proves that the code comes back from the app that asked", "RFC 7636 section 4.5", "Without it the challenge protects nothing: the provider has to refuse the code.", is_secret=True),
    "nonce": ParameterInfo("ties the ID token to this login", "OpenID Connect Core section 3.1.2.1", "Without it an ID token from another login can be slipped into this one."),
    "prompt": ParameterInfo("whether the provider is to ask again, or must not ask", "OpenID Connect Core section 3.1.2.1", "Without it the provider decides by itself whether to ask."),
    "max_age": ParameterInfo("how many seconds ago the person may have signed in at most", "OpenID Connect Core section 3.1.2.1"),
    "login_hint": ParameterInfo("whom the app expects, so that the provider can offer them first", "OpenID Connect Core section 3.1.2.1"),
    "access_type": ParameterInfo("offline asks for a refresh token", "Google's own"),
    "id_token_hint": ParameterInfo("an ID token that the app has got before: says who is to be logged out, and for whom", "OpenID Connect RP-Initiated Logout section 2", is_secret=True),
    "post_logout_redirect_uri": ParameterInfo("where to go after the log-out; it must be registered", "OpenID Connect RP-Initiated Logout section 3"),
    "code": ParameterInfo("stands for what the person allowed; good once, for a minute, with the client secret", "RFC 6749 section 4.1.2", "Without it there is nothing to exchange. Whoever has it, and the secret, is logged in as this person.", is_secret=True),
    "iss": ParameterInfo("says which provider answers, so that two cannot be mixed up", "RFC 9207 section 2", "Without it an app with two providers can be made to send the code of one to the other."),
    "error": ParameterInfo("what went wrong, as one of a few fixed words", "RFC 6749 sections 4.1.2.1 and 5.2"),
    "error_description": ParameterInfo("what went wrong, as a sentence for the developer", "RFC 6749 sections 4.1.2.1 and 5.2", "Without it the developer has to guess."),
    "grant_type": ParameterInfo("says what is to be exchanged: a code or a refresh token", "RFC 6749 sections 4.1.3 and 6", "Without it the token endpoint does not know what is offered to it, and refuses."),
    "client_secret": ParameterInfo("proves that the app itself is asking; never goes through the browser", "RFC 6749 section 2.3.1", "Without it anybody who has the code could exchange it.", is_secret=True),
    "client_assertion": ParameterInfo("proves that the app itself is asking, by a JWT that the app has signed", "RFC 7523 section 2.2", is_secret=True),
    "access_token": ParameterInfo("opens the person's profile to whoever holds it", "RFC 6749 section 1.4", "Without it the profile stays closed. Whoever finds it can read the profile too.", is_secret=True),
    "token_type": ParameterInfo("how to send the token; Bearer means as it is, in a header", "RFC 6749 section 7.1", "Without it the app has to guess how the token is sent."),
    "expires_in": ParameterInfo("for how many seconds the token is good", "RFC 6749 section 5.1", "Without it the app learns of the end only when a request is refused."),
    "refresh_token": ParameterInfo("gets a new access token without asking the person", "RFC 6749 section 1.5", "Without it the person is asked again when the access token ends.", is_secret=True),
    "token": ParameterInfo("the token to take back", "RFC 7009 section 2.1", is_secret=True),
    "token_type_hint": ParameterInfo("which kind of token it is; the provider may look for it among the others too", "RFC 7009 section 2.1"),
    "id_token": ParameterInfo("says who logged in, signed by the provider", "OpenID Connect Core section 2", "Without it the app has only an access token, which does not say whom it was given to.", is_secret=True),
    "Authorization": ParameterInfo("carries the access token, or the app's id and secret", "RFC 6750 section 2.1, RFC 6749 section 2.3.1", "Without it the request is refused: the provider does not know who asks.", is_secret=True),
    "Location": ParameterInfo("where the browser goes next", "RFC 9110 section 10.2.2", "Without it the browser stays where it is."),
    "WWW-Authenticate": ParameterInfo("what is missing to be let in", "RFC 6750 section 3"),
    "issuer": ParameterInfo("who the provider is; must be the address that the app has been given, and the iss of each ID token", "OpenID Connect Discovery section 4.3"),
    "jwks_uri": ParameterInfo("where the keys are that ID tokens are checked with", "OpenID Connect Discovery section 3"),
    "id_token_signing_alg_values_supported": ParameterInfo("how ID tokens are signed; an app had better pin what it expects", "OpenID Connect Discovery section 3"),
    "end_session_endpoint": ParameterInfo("where to send the person to log out at the provider too", "OpenID Connect RP-Initiated Logout section 2.1"),
    "keys": ParameterInfo("the public keys, one of which has signed the ID token", "RFC 7517 section 5"),
    "sub": ParameterInfo("who it is, by a name that never changes and is nobody else's at this issuer", "OpenID Connect Core section 5.7"),
    "person": ParameterInfo("who you chose to be; a real provider asks for a password here", "this fake's own"),
    "decision": ParameterInfo("what you clicked on the consent page", "this fake's own"),
}  # fmt: skip

SECRETS = frozenset(name for name, info in PARAMETERS.items() if info.is_secret)
