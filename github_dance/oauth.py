"""The login: Flask-Dance's blueprint for GitHub, one of our own for X, and what happens at their callbacks.

New since raw_requests: the library sends the messages, and a signal tells when an access token has arrived.
"""

import logging
import os
import re
import sys
from pathlib import Path
from urllib.parse import quote_plus

import requests
from dotenv import load_dotenv
from flask import abort, current_app, redirect, request, session
from flask_dance.consumer import OAuth2ConsumerBlueprint, oauth_authorized, oauth_before_login
from flask_dance.consumer.requests import OAuth2Session
from flask_dance.consumer.storage.sqla import SQLAlchemyStorage
from flask_dance.contrib.github import make_github_blueprint
from flask_login import current_user, login_user
from models import OAuth, db, find_or_create
from oauthlib.oauth2 import OAuth2Error, TokenExpiredError
from per_request import BlueprintPerRequest
from werkzeug.exceptions import BadGateway, BadRequest, GatewayTimeout

here = Path(__file__).parent
try:  # one file, never both: practice values must not fill the gaps between real ones
    load_dotenv(here / (".env" if (here / ".env").exists() else ".env.example"), encoding="utf-8-sig")
except (OSError, ValueError):
    sys.exit(".env cannot be read: save it as plain text in UTF-8.")


def optional(name):
    return os.environ.get(name, "").strip()  # an empty setting is the same as a missing one


def setting(name):
    return optional(name) or sys.exit(f"{name} is missing: set it in .env, as .env.example shows.")


GITHUB_URL = setting("GITHUB_URL").rstrip("/")
GITHUB_API_URL = setting("GITHUB_API_URL").rstrip("/")
TWITTER_URL = setting("TWITTER_URL").rstrip("/")
TWITTER_API_URL = setting("TWITTER_API_URL").rstrip("/")

PORT = optional("PORT") or "5000"
URL = (optional("URL") or f"http://localhost:{PORT}").lower().rstrip("/")


# The login

storage = SQLAlchemyStorage(OAuth, db.session, user=current_user)  # each token has an owner

github_blueprint = make_github_blueprint(
    client_id=setting("GITHUB_ID"),
    client_secret=setting("GITHUB_SECRET"),
    scope="user:email",
    storage=storage,
)
github_blueprint.authorization_url = GITHUB_URL + "/login/oauth/authorize"
github_blueprint.token_url = GITHUB_URL + "/login/oauth/access_token"
github_blueprint.base_url = GITHUB_API_URL + "/"

twitter_blueprint = OAuth2ConsumerBlueprint(
    "twitter",
    __name__,
    client_id=setting("TWITTER_ID"),
    client_secret=setting("TWITTER_SECRET"),
    scope=["users.read", "tweet.read"],
    authorization_url=TWITTER_URL + "/i/oauth2/authorize",
    token_url=TWITTER_API_URL + "/2/oauth2/token",
    base_url=TWITTER_API_URL + "/",
    storage=storage,
)


def github_email(github, profile):
    """Return the primary e-mail address if it is verified; the list has unverified ones, too, in any order."""
    try:
        emails = github.get("user/emails").json()
    except requests.HTTPError as error:
        if error.response.status_code not in (403, 404):
            raise
        # The user did not grant the scope, or this app is a GitHub App that may not read them.
        current_app.logger.warning("GitHub lists no e-mail addresses: %s", for_log(error))
        return None
    return next((email["email"] for email in emails if email["primary"] is True and email["verified"] is True), None)


PROVIDERS = {
    "github": {
        "title": "GitHub",
        "blueprint": github_blueprint,
        "issuer": optional("GITHUB_ISSUER") or None,
        "profile": lambda github: github.get("user").json(),
        "username": "login",
        "email": github_email,
    },
    "twitter": {
        "title": "X",
        "blueprint": twitter_blueprint,
        "issuer": optional("TWITTER_ISSUER") or None,  # X does not send iss
        "profile": lambda twitter: twitter.get("2/users/me").json()["data"],
        "username": "username",
        "email": lambda twitter, profile: profile.get("confirmed_email"),
    },
}


@oauth_before_login.connect
def keep_link_request(blueprint, url):
    """Keep what the button Link has requested for the login that begins now, and for no later one."""
    session[f"{blueprint.name}_link"] = session.pop("link", None)


@oauth_authorized.connect
def logged_in(blueprint, token):
    """The callback: ask the provider who this is, store user and token together, and log the user in."""
    check_token_type(token)
    user = read_user(blueprint)
    login = find_or_create(
        provider=blueprint.name,
        token={name: token.get(name) for name in ("access_token", "token_type", "expires_at")},
        linking=is_linking(blueprint.name),
        **user,
    )
    session.clear()
    login_user(login.user)
    return False  # the token is stored, in one transaction with its owner


# What makes it safe: the authorization response


def check_response():
    """Check the response before the library's callback uses it; it finds state and code verifier in the session."""
    if request.endpoint.endswith(".login"):
        return None
    if current_user.is_authenticated and not has_right_state():  # the Back button, a bookmark, a restored tab
        return redirect("/")
    if any(len(values) > 1 for values in request.args.listvalues()):  # one value would be checked, the other used
        abort(400, "The response contains a parameter twice.")
    if not has_right_state():  # before anything else: strangers can write an error, too
        abort(400, "This login was not started in this browser, or it is too old. Please try again.")
    key = f"{request.blueprint}_oauth_state"
    state = session.pop(key)  # single use, or an old response could be replayed (RFC 9700 section 4.7)
    check_refusal()
    session[key] = state  # the library removes it again
    return None


def has_right_state():
    """Login CSRF: only the browser that started the login has its state (RFC 6749 section 10.12)."""
    key = f"{request.blueprint}_oauth_state"
    return key in session and request.args.get("state") == session[key]


def check_refusal():
    """Refuse an error, a response of another provider, and one without a code; the library would redirect to /."""
    title = PROVIDERS[request.blueprint]["title"]
    if "error" in request.args:
        current_app.logger.warning("%s refused the login: %s", title, for_log(description(request.args)))
    check_issuer(PROVIDERS[request.blueprint]["issuer"])
    if "error" in request.args:
        abort(403, f"You did not allow the login, or {title} refused it.")
    if not request.args.get("code"):
        abort(403, "The response contains no code.")


def check_issuer(expected):
    """Mix-up: a response of one provider could be used in a login at another (RFC 9207)."""
    issuer = request.args.get("iss")
    if issuer != expected:
        current_app.logger.warning("The response came from the issuer %.300r, expected was %.300r", issuer, expected)
        abort(400, "The response came from another provider.")


def is_linking(provider):
    """Forced linking: a login goes into the account only if the user pressed Link there, in this session."""
    requested = session.pop(f"{provider}_link", None)
    if requested and requested != [provider, current_user.get_id()]:
        abort(403, "Your session ended before the login was linked. Log in again, then use the button Link.")
    return bool(requested)


# What makes it safe: the provider's responses


class HardenedSession(OAuth2Session):
    """The library's session with what it leaves open: our redirect URI, our credentials, a timeout, a status check."""

    # Never build our own URL from the Host header, as the library does.
    redirect_uri = property(lambda self: f"{URL}/login/{self.blueprint.name}/authorized", lambda self, ignored: None)

    def fetch_token(self, token_url, client_secret, **options):
        options["authorization_response"] = URL + request.full_path  # https, behind a proxy too
        if self.blueprint.name == "twitter":  # X accepts id and secret in the header, GitHub documents the body
            # A colon joins the two there, so both are encoded first (RFC 6749 section 2.3.1).
            options["auth"] = (quote_plus(self.client_id), quote_plus(client_secret))
        else:
            options["client_secret"] = client_secret
        self.scope = None  # the user may grant fewer scopes, and the library would raise an error
        return super().fetch_token(token_url, include_client_id=True, **options)

    def request(self, method, url, data=None, headers=None, **options):
        options.update(timeout=5, hooks={"response": check_status})
        return super().request(method, url, data=data, headers=headers, **options)


for provider in PROVIDERS.values():
    provider["blueprint"].__class__ = BlueprintPerRequest
    provider["blueprint"].session_class = HardenedSession
    provider["blueprint"].use_pkce = True
    provider["blueprint"].before_request(check_response)


def check_status(response, **options):
    """Accept status 200 only: the library would read an error page, and follow redirects with secret and token."""
    try:
        fields = response.json()
    except (ValueError, RecursionError):  # not JSON, or deeply nested
        fields = {"error_description": response.headers.get("WWW-Authenticate", "").partition(" ")[2]}
    if response.status_code == 200 and not (isinstance(fields, dict) and "error" in fields):  # GitHub's errors are 200
        return
    problem = f"{response.url} returned status {response.status_code}: {description(fields) or 'without a reason'}"
    if response.status_code == 401 and response.request.method == "GET":
        raise TokenExpiredError(problem)  # expired or revoked (RFC 6750 section 3.1)
    raise requests.HTTPError(problem, response=response)


def check_token_type(token):
    """Refuse a token response without token_type: the library would assume Bearer (RFC 6749 section 7.1)."""
    if "token_type" not in token:
        raise ValueError("the token response has no token_type")


def read_user(blueprint):
    """Ask the provider who has logged in, and return what is stored of it."""
    provider = PROVIDERS[blueprint.name]
    profile = provider["profile"](blueprint.session)
    subject = profile["id"]
    if type(subject) not in (str, int) or not subject or not str(subject).isprintable() or len(str(subject)) > 255:
        raise ValueError("the profile has no usable id")
    return {
        "provider_user_id": str(subject),
        "email": clean_text(provider["email"](blueprint.session, profile)) or None,
        "username": clean_text(profile.get("name")) or clean_text(profile.get(provider["username"])) or str(subject),
    }


def clean_text(value):
    """Return at most 250 characters, without NUL and lone surrogates: JSON can hold them, a database cannot."""
    return str(value or "").encode(errors="replace").decode().replace("\0", "")[:250]


def description(fields):
    """Return what the provider says is wrong. Only these are read, because an error response can hold a token."""
    names = ("error", "error_description", "message", "title", "detail", "reason")  # OAuth, GitHub, X
    return ": ".join(str(fields[name]) for name in names if name in fields) if isinstance(fields, dict) else ""


def for_log(value):
    """Return one line for the log, cut to size and without anything that may be a token or a code."""
    return re.sub(r"Bearer .*|[\w-]{40,}|(?=[\w-]*\d)[\w-]{20,}", "(hidden)", repr(value))[:500]


PROBLEMS = {  # by the status of the provider's response: our own, and what the page says
    200: (BadRequest, "{} did not accept the code, or does not know this app."),
    400: (BadRequest, "{} did not accept the code, or does not know this app."),
    401: (BadRequest, "{} does not accept the id or the secret of this app."),
    403: (BadGateway, "{} does not allow this app to send this request."),
    404: (BadGateway, "{} has no such page: a URL in the settings of this app is wrong."),
}


def provider_error(error, provider):
    """Turn whatever went wrong with a provider into a page for the user, and a line in the log for you."""
    title = PROVIDERS[provider]["title"]
    current_app.logger.warning("%s: %s", title, for_log(error))
    if isinstance(error, requests.Timeout):
        return GatewayTimeout(f"{title} took too long to respond.")
    if isinstance(error, TokenExpiredError):
        return BadGateway(f"{title} did not accept the access token that it has issued.")
    status = 400 if isinstance(error, OAuth2Error) else getattr(getattr(error, "response", None), "status_code", None)
    page, sentence = PROBLEMS.get(status, (BadGateway, "{} sent an unexpected response."))
    return page(sentence.format(title))


# At DEBUG this logger writes the client secret, at WARNING what strangers write into the URL of the callback.
logging.getLogger("flask_dance.consumer.oauth2").setLevel(logging.ERROR)
logging.getLogger("requests_oauthlib").setLevel(logging.INFO)  # at DEBUG it logs code, secret and token
