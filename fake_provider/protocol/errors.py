"""The three kinds of errors in OAuth, one for each recipient.

The person gets UntrustedRequestError as a page, the app gets AuthorizationError through the browser, and the app gets
OAuthError as the response to its own request. Each says what was expected and what was received.
"""

from __future__ import annotations


class UntrustedRequestError(Exception):
    """The client or the redirect URI is invalid: the provider shows an error page and does not redirect.

    Open redirect: a redirect to a URL that no client has registered would let an attacker send users from the provider
    to any site (RFC 6749 section 4.1.2.1, RFC 9700 section 4.11.2). `sentence` says what is wrong, `hint` what the
    developer can do.
    """

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


class AuthorizationError(Exception):
    """The authorization request is invalid, but its redirect URI is valid: an error response goes to the app.

    `code` is an error code of RFC 6749 section 4.1.2.1 or OpenID Connect Core section 3.1.2.6, `description` a sentence
    for the developer.
    """

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


class OAuthError(Exception):
    """A request of the app to the token endpoint, the revocation endpoint or a resource is refused.

    `code` is an error code of RFC 6749 section 5.2 or RFC 6750 section 3.1, `description` a sentence for the developer,
    `status` the HTTP status. `challenge` is the value of `WWW-Authenticate`, or the scheme `Bearer`, or None.
    `reason` names the rule that was broken, for dialects that have an error of their own for it.
    """

    def __init__(
        self, code: str, description: str, status: int = 400, challenge: str | None = None, reason: str = ""
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.status = status
        self.challenge = challenge
        self.reason = reason
