"""An error says what was expected and what came, so that whoever reads it can mend it.

Three kinds, because OAuth answers them in three places: to the person, to the app through the browser, and to
the app directly.
"""

from __future__ import annotations


class UntrustedRequestError(Exception):
    """The redirect URI cannot be trusted, so nobody is redirected and the person is told.

    Sending an error to an address that the app never registered would make the provider an open redirector
    (RFC 6749 section 4.1.2.1, RFC 9700 section 4.11.2).
    """

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


class AuthorizationError(Exception):
    """The request is wrong and the redirect URI is right: the app hears of it there (RFC 6749 section 4.1.2.1).

    `code` is one of the error codes of that section, `description` a sentence for the developer.
    """

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


class OAuthError(Exception):
    """A back-channel request is refused: RFC 6749 section 5.2 (token), RFC 6750 section 3.1 (resources).

    `code` is an error code of these sections, `description` a sentence for the developer, `status` the HTTP
    status, `challenge` the authentication scheme to name in `WWW-Authenticate`, if any. `reason` names the rule
    that was broken, for providers that have a word of their own for it.
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
