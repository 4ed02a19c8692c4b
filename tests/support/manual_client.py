"""A browser and an app in one, for tests of the provider's pages: every request can be changed or left out."""

from __future__ import annotations

import secrets

import requests
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from fake_provider import RunningProvider
from support.dialect_client import OKTA, SIMPLELOGIN
from tools.check.apps import parameters

DIALECTS = {settings.dialect: settings for settings in (SIMPLELOGIN, OKTA)}


class ManualClient:
    """Logs in with a practice client. Parameters that are None are left out of a request."""

    def __init__(self, provider: RunningProvider, client: str = "step3-login", dialect: str = "simplelogin") -> None:
        self.client_id, self.client_secret = f"fake-{client}", f"fake-secret-of-{client}"
        settings = DIALECTS[dialect]
        self.authorize, self.token, self.profile = (
            f"{provider.url}/{dialect}/{path}" for path in (settings.authorize, settings.token, settings.profile)
        )
        self.redirect_uri = settings.redirect_uri
        self.verifier = ""
        self.session = requests.Session()

    def ask(self, person: str = "ada", decision: str = "allow", **changes: str | None) -> dict[str, str]:
        """Click through the pages that the provider shows, and return the parameters of the authorization response."""
        self.verifier = secrets.token_urlsafe(48)
        request = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": secrets.token_urlsafe(24),
            "code_challenge": create_s256_code_challenge(self.verifier),
            "code_challenge_method": "S256",
        }
        url = requests.Request("GET", self.authorize, params=_without_none({**request, **changes})).prepare().url
        response = self._get(url)
        if not response.is_redirect:
            response = self._post(url, person=person)
        if not response.headers["Location"].startswith(self.redirect_uri):
            self._get(url)
            response = self._post(url, decision=decision)
        return parameters(response.headers["Location"])

    def exchange(self, code: str, **changes: str | None) -> requests.Response:
        """Send the token request, and return the response."""
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
        """Request the profile, and return the response."""
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(self.profile, params=query, headers=headers, timeout=5, allow_redirects=False)

    def log_in(self, **changes: str | None) -> dict[str, object]:
        """Log in with all three requests, and return the token response."""
        tokens = self.exchange(self.ask(**changes)["code"]).json()
        self.read(tokens["access_token"])
        return tokens

    def _get(self, url: str) -> requests.Response:
        return self.session.get(url, timeout=5, allow_redirects=False)

    def _post(self, url: str, **form: str) -> requests.Response:
        return self.session.post(url, form, timeout=5, allow_redirects=False)


def _without_none(values: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
