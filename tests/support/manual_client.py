"""An app and a browser in one, for tests of the provider's pages: every message can be bent or left out."""

from __future__ import annotations

import secrets

import requests
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from fake_provider import RunningProvider
from tools.check.apps import parameters

DIALECTS = {  # authorization endpoint, token endpoint, profile, callback
    "simplelogin": ("oauth2/authorize", "oauth2/token", "oauth2/userinfo", "/callback"),
    "okta": ("oauth2/default/v1/authorize", "oauth2/default/v1/token", "oauth2/default/v1/userinfo", "/oidc/callback"),
}


class ManualClient:
    """Logs in with a practice client. Values that are None are left out of a message."""

    def __init__(self, provider: RunningProvider, client: str = "step3-login", dialect: str = "simplelogin") -> None:
        self.client_id, self.client_secret = f"fake-{client}", f"fake-secret-of-{client}"
        authorize, token, profile, callback = DIALECTS[dialect]
        self.authorize, self.token, self.profile = (
            f"{provider.url}/{dialect}/{path}" for path in (authorize, token, profile)
        )
        self.redirect_uri = f"http://localhost:5000{callback}"
        self.verifier = ""
        self.session = requests.Session()

    def ask(self, person: str = "ada", decision: str = "allow", **changes: str | None) -> dict[str, str]:
        """Go through the provider's pages and return its answer."""
        self.verifier = secrets.token_urlsafe(48)
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": secrets.token_urlsafe(24),
            "code_challenge": create_s256_code_challenge(self.verifier),
            "code_challenge_method": "S256",
        }
        address = requests.Request("GET", self.authorize, params=_without_none({**asked, **changes})).prepare().url
        reply = self._get(address)
        if not reply.is_redirect:
            reply = self._post(address, person=person)
        if not reply.headers["Location"].startswith(self.redirect_uri):
            self._get(address)
            reply = self._post(address, decision=decision)
        return parameters(reply.headers["Location"])

    def exchange(self, code: str, **changes: str | None) -> requests.Response:
        """Send the token request."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "code_verifier": self.verifier,
        }
        return requests.post(self.token, _without_none({**form, **changes}), timeout=5, allow_redirects=False)

    def read(self, token: str, **query: str) -> requests.Response:
        """Ask for the profile."""
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(self.profile, params=query, headers=headers, timeout=5, allow_redirects=False)

    def log_in(self, **changes: str | None) -> dict[str, object]:
        """Go the whole way, and return the token reply."""
        reply = self.exchange(self.ask(**changes)["code"]).json()
        self.read(reply["access_token"])
        return reply

    def _get(self, address: str) -> requests.Response:
        return self.session.get(address, timeout=5, allow_redirects=False)

    def _post(self, address: str, **form: str) -> requests.Response:
        return self.session.post(address, form, timeout=5, allow_redirects=False)


def _without_none(values: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
