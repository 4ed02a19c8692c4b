"""A browser and an app in one, which log in at one dialect by plain HTTP requests.

Each request can be changed: a test gives a parameter another value, or None to leave it out.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from tools.check.apps import parameters

VERIFIER = "v" * 50
PKCE = {"code_challenge": create_s256_code_challenge(VERIFIER), "code_challenge_method": "S256"}
JSON = {"Accept": "application/json"}


@dataclass(frozen=True)
class Settings:
    """A practice client's registration at one dialect, and the paths of the dialect's endpoints."""

    dialect: str
    client: str
    callback: str
    authorize: str
    token: str
    profile: str
    scope: str | None = None
    uses_basic: bool = False  # sends client id and secret in the Authorization header, otherwise in the body
    uses_pkce: bool = False

    @property
    def credentials(self):
        """The client id and the client secret."""
        return f"fake-{self.client}", f"fake-secret-of-{self.client}"

    @property
    def redirect_uri(self):
        return f"http://localhost:5000{self.callback}"


SIMPLELOGIN = Settings(
    dialect="simplelogin",
    client="step3-login",
    callback="/callback",
    authorize="oauth2/authorize",
    token="oauth2/token",
    profile="oauth2/userinfo",
)
FACEBOOK = Settings(
    dialect="facebook",
    client="facebook",
    callback="/fb-callback",
    authorize="www/dialog/oauth",
    token="graph/oauth/access_token",
    profile="graph/me",
    scope="email",
)
GITHUB = Settings(
    dialect="github",
    client="raw-requests",
    callback="/callback/github",
    authorize="login/oauth/authorize",
    token="login/oauth/access_token",
    profile="api/user",
    scope="user:email",
)
GOOGLE = Settings(
    dialect="google",
    client="raw-requests",
    callback="/callback/google",
    authorize="o/oauth2/auth",
    token="o/oauth2/token",
    profile="oauth2/v3/userinfo",
    scope="https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile",
)
X = Settings(
    dialect="x",
    client="github-dance",
    callback="/login/twitter/authorized",
    authorize="i/oauth2/authorize",
    token="2/oauth2/token",
    profile="2/users/me",
    scope="tweet.read users.read",
    uses_basic=True,
    uses_pkce=True,
)
OKTA = Settings(
    dialect="okta",
    client="okta-oidc",
    callback="/oidc/callback",
    authorize="oauth2/default/v1/authorize",
    token="oauth2/default/v1/token",
    profile="oauth2/default/v1/userinfo",
    scope="openid profile email",
    uses_basic=True,
)


class DialectClient:
    """A browser, which clicks through the provider's pages, and an app, which sends the other requests."""

    def __init__(self, session, provider, settings):
        self.session = session
        self.provider = provider
        self.settings = settings
        self.url = f"{provider.url}/{settings.dialect}"

    def authorization_request(self, **changes):
        """Return the parameters of the authorization request."""
        request = {
            "response_type": "code",
            "client_id": self.settings.credentials[0],
            "redirect_uri": self.settings.redirect_uri,
            "scope": self.settings.scope,
            "state": "s",
            **(PKCE if self.settings.uses_pkce else {}),
        }
        return _without_none({**request, **changes})

    def authorization_url(self, **changes):
        """Return the URL to which the app redirects the browser."""
        return f"{self.url}/{self.settings.authorize}?{urlencode(self.authorization_request(**changes))}"

    def redirect(self, person="ada", decision="allow", **changes):
        """Choose a person, decide on the consent page, and return the URL to which the provider redirects."""
        url = self.authorization_url(**changes)
        self.session.post(url, {"person": person}, timeout=5, allow_redirects=False)
        response = self.session.post(url, {"decision": decision}, timeout=5, allow_redirects=False)
        return response.headers["Location"]

    def authorization_response(self, person="ada", decision="allow", **changes):
        """Click through the provider's pages, and return the parameters that the app receives at its callback."""
        return parameters(self.redirect(person, decision, **changes))

    def code(self, person="ada", **changes):
        """Log in, and return the authorization code."""
        return self.authorization_response(person, **changes)["code"]

    def token_response(self, code, method="POST", headers=None, **changes):
        """Send the token request, and return the response. `auth` changes the Authorization header."""
        client_id, client_secret = self.settings.credentials
        request = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect_uri,
        }
        auth = None
        if self.settings.uses_basic:
            auth = client_id, client_secret
        else:
            request |= {"client_id": client_id, "client_secret": client_secret}
        if self.settings.uses_pkce:
            request["code_verifier"] = VERIFIER
        auth = changes.pop("auth", auth)
        request = _without_none({**request, **changes})
        sent = {"data": request} if method == "POST" else {"params": request}
        url = f"{self.url}/{self.settings.token}"
        return self.session.request(method, url, headers=headers, auth=auth, timeout=5, **sent)

    def access_token(self, person="ada", **changes):
        """Log in, and return the access token."""
        return self.token_response(self.code(person, **changes), headers=JSON).json()["access_token"]

    def profile(self, token, scheme="Bearer", **query):
        """Request the profile with this access token, or without one."""
        headers = {"Authorization": f"{scheme} {token}"} if token else {}
        return self.get(self.settings.profile, headers, **query)

    def get(self, path, headers=None, **query):
        """Request a path of the dialect."""
        return self.session.get(f"{self.url}/{path}", headers=headers, params=query, timeout=5)


def _without_none(values):
    return {name: value for name, value in values.items() if value is not None}
