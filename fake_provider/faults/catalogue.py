"""Common ways in which a provider, or somebody in between, misbehaves: each a row of a table, and each a fault.

What a good app does is said beside it; what an app did is read from the messages by `verdict.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CataloguedFault:
    """One way to break a login. `endpoint` is authorization, token or profile; `fault` the members of a Fault.

    `needs` is what a dialect must have for it: `openid` for ID tokens, `iss` for an issuer in the answer.
    """

    key: str
    endpoint: str
    words: str
    good: str
    source: str
    fault: Mapping[str, Any]
    needs: str = ""


CATALOGUE: tuple[CataloguedFault, ...] = (
    CataloguedFault(
        "other-state", "authorization", "Send back somebody else's state",
        "refuses the answer and asks for no token", "RFC 6749 section 10.12",
        {"set": {"state": "somebody-elses-state"}},
    ),
    CataloguedFault(
        "no-state", "authorization", "Send the answer without state",
        "refuses the answer and asks for no token", "RFC 6749 section 10.12",
        {"remove": ["state"]},
    ),
    CataloguedFault(
        "other-issuer", "authorization", "Answer in the name of another provider",
        "compares iss with the provider it sent the person to, and asks for no token", "RFC 9207 section 2.4",
        {"set": {"iss": "https://another-provider.example"}}, "iss",
    ),
    CataloguedFault(
        "no-code", "authorization", "Send the answer without a code",
        "shows a page, and asks for no token", "RFC 6749 section 4.1.2",
        {"remove": ["code"]},
    ),
    CataloguedFault(
        "unavailable", "authorization", "Say that the provider is too busy",
        "shows a page, and asks for no token", "RFC 6749 section 4.1.2.1",
        {"set": {"error": "temporarily_unavailable"}, "remove": ["code"]},
    ),
    CataloguedFault(
        "token-500", "token", "Answer the token request with a 500",
        "shows a page, and asks for no profile", "RFC 6749 section 5.2",
        {"status": 500, "body": "Internal Server Error", "headers": {"Content-Type": "text/plain"}},
    ),
    CataloguedFault(
        "token-page", "token", "Answer the token request with a web page",
        "shows a page, and asks for no profile", "RFC 6749 section 5.1",
        {"body": "<h1>Down for maintenance</h1>", "headers": {"Content-Type": "text/html"}},
    ),
    CataloguedFault(
        "no-token", "token", "Leave the access token out",
        "shows a page, and asks for no profile", "RFC 6749 section 5.1",
        {"remove": ["access_token"]},
    ),
    CataloguedFault(
        "other-type", "token", "Give a token of an unknown type",
        "does not use a token that it does not understand", "RFC 6749 section 7.1",
        {"set": {"token_type": "mac"}},
    ),
    CataloguedFault(
        "slow", "token", "Take ten seconds over the token",
        "gives up after a few seconds and says so, and asks for no profile", "RFC 9110 section 15.6.5",
        {"delay": 10},
    ),
    CataloguedFault(
        "lost", "token", "Lose the connection half-way through the token",
        "shows a page, and asks for no profile", "RFC 9112 section 8",
        {"drop": True},
    ),
    CataloguedFault(
        "elsewhere", "token", "Redirect the token request",
        "does not follow: code and secret would go to another address", "RFC 9700 section 4.12",
        {"status": 307, "redirect": "{token}"},
    ),
    CataloguedFault(
        "no-id-token", "token", "Leave the ID token out",
        "shows a page, and asks for no profile", "OpenID Connect Core section 3.1.3.3",
        {"remove": ["id_token"]}, "openid",
    ),
    CataloguedFault(
        "other-key", "token", "Sign the ID token with another key",
        "reads the keys again at most, and asks for no profile", "OpenID Connect Core section 3.1.3.7",
        {"id_token": {"sign": "other key"}}, "openid",
    ),
    CataloguedFault(
        "unsigned", "token", "Do not sign the ID token at all",
        "shows a page, and asks for no profile", "RFC 8725 section 3.1",
        {"id_token": {"sign": "none"}}, "openid",
    ),
    CataloguedFault(
        "other-audience", "token", "Give an ID token that was made for another app",
        "shows a page, and asks for no profile", "OpenID Connect Core section 3.1.3.7",
        {"id_token": {"claims": {"aud": "another-app"}}}, "openid",
    ),
    CataloguedFault(
        "other-nonce", "token", "Give an ID token from another login",
        "shows a page, and asks for no profile", "OpenID Connect Core section 3.1.3.7",
        {"id_token": {"claims": {"nonce": "somebody-elses-nonce"}}}, "openid",
    ),
    CataloguedFault(
        "ended", "token", "Give an ID token that has ended",
        "shows a page, and asks for no profile", "OpenID Connect Core section 3.1.3.7",
        {"id_token": {"claims": {"iat": 1_000_000_000, "exp": 1_000_003_600}}}, "openid",
    ),
    CataloguedFault(
        "other-subject", "profile", "Answer with somebody else's profile",
        "compares sub with that of the ID token, and logs nobody in", "OpenID Connect Core section 5.3.2",
        {"set": {"sub": "somebody-else"}}, "openid",
    ),
    CataloguedFault(
        "profile-500", "profile", "Answer the profile request with a 500",
        "shows a page, and logs nobody in", "RFC 6750 section 3.1",
        {"status": 500},
    ),
    CataloguedFault(
        "nobody", "profile", "Leave out who it is",
        "logs nobody in: a profile without a subject is nobody's", "OpenID Connect Core section 5.3.2",
        {"remove": ["sub", "id", "data"]},
    ),
    CataloguedFault(
        "no-email", "profile", "Have no e-mail address",
        "logs the person in without one", "OpenID Connect Core section 5.1",
        {"set": {"email": None}},
    ),
    CataloguedFault(
        "markup", "profile", "Put a script into the name",
        "shows the name as text", "OWASP: cross-site scripting",
        {"set": {"name": "<script>document.title = 'broken'</script>"}},
    ),
)  # fmt: skip
