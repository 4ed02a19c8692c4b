"""The login: Flask-Dance's blueprint for GitHub, one of our own for X, and what happens when somebody comes back."""

import logging
import os
import sys
from pathlib import Path
from urllib.parse import quote_plus

import requests
from dotenv import load_dotenv
from flask import abort, current_app, g, redirect, request, session
from flask_dance.consumer import OAuth2ConsumerBlueprint, oauth_authorized, oauth_before_login, oauth_error
from flask_dance.consumer.requests import OAuth2Session
from flask_dance.consumer.storage.sqla import SQLAlchemyStorage
from flask_dance.contrib.github import make_github_blueprint
from flask_login import current_user, login_user
from models import OAuth, User, db
from oauthlib.oauth2 import OAuth2Error
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import BadGateway, BadRequest, GatewayTimeout

here = Path(__file__).parent
load_dotenv(here / ".env") or load_dotenv(here / ".env.example")
# This logger writes the client secret (DEBUG), and what visitors write into their address bar (WARNING).
logging.getLogger("flask_dance.consumer.oauth2").setLevel(logging.ERROR)
logging.getLogger("requests_oauthlib").setLevel(logging.INFO)  # its DEBUG lines hold code, secret and token


def setting(name):
    return os.environ.get(name) or sys.exit(f"{name} is missing: set it in .env, as .env.example shows.")


def of_this_request(name, make):
    def get(blueprint):
        key = f"{blueprint.name}_{name}"
        if key not in g:
            setattr(g, key, make(blueprint))
        return g.get(key)

    # The library sets its dictionaries to {} when it starts, and deletes its session after each request: not here.
    return property(get, lambda blueprint, value: None, lambda blueprint: None)


class BlueprintPerRequest(OAuth2ConsumerBlueprint):
    # Flask-Dance keeps these on the blueprint, where all threads meet: one person's token answers another's request.
    # In flask.g each request has its own, and none outlives it.
    session = of_this_request("session", OAuth2ConsumerBlueprint.session.fget)
    authorization_url_params = of_this_request("authorization_url_params", lambda blueprint: {})  # the PKCE challenge
    token_url_params = of_this_request("token_url_params", lambda blueprint: {})  # the PKCE verifier


class CarefulSession(OAuth2Session):
    # The library sets the address that the Host header gives, and that header anybody can write.
    redirect_uri = property(
        lambda self: f"{current_app.config['URL']}/login/{self.blueprint.name}/authorized", lambda self, address: None
    )

    def fetch_token(self, token_url, client_secret, **options):
        options["authorization_response"] = current_app.config["URL"] + request.full_path  # https, behind a proxy too
        # Encoded, since a colon joins the two in the header (RFC 6749 section 2.3.1).
        options["auth"] = (quote_plus(self.client_id), quote_plus(client_secret))
        self.scope = None  # people may allow less than was asked for, and the library takes that for an attack
        return super().fetch_token(token_url, include_client_id=True, **options)

    def request(self, method, url, data=None, headers=None, **options):
        options.update(timeout=5, hooks={"response": check_status})
        return super().request(method, url, data=data, headers=headers, **options)


def check_status(reply, **options):
    # The library reads a reply whatever its status: an error page with a profile in it would log somebody in, and a
    # redirect would take code, secret or token to another address.
    if reply.status_code == 400:
        raise OAuth2Error(reply.text[:200])
    if reply.status_code != 200:
        raise ValueError(f"status {reply.status_code}")


storage = SQLAlchemyStorage(OAuth, db.session, user=current_user)  # no user, no token

github_blueprint = make_github_blueprint(
    client_id=setting("GITHUB_ID"),
    client_secret=setting("GITHUB_SECRET"),
    scope="user:email",
    session_class=CarefulSession,
    storage=storage,
)
github_blueprint.__class__ = BlueprintPerRequest  # the function above knows only the library's class
github_blueprint.use_pkce = True
github_blueprint.authorization_url = setting("GITHUB_URL") + "/login/oauth/authorize"
github_blueprint.token_url = setting("GITHUB_URL") + "/login/oauth/access_token"
github_blueprint.base_url = setting("GITHUB_API_URL").rstrip("/") + "/"

twitter_blueprint = BlueprintPerRequest(
    "twitter",
    __name__,
    client_id=setting("TWITTER_ID"),
    client_secret=setting("TWITTER_SECRET"),
    scope=["users.read", "tweet.read"],
    use_pkce=True,
    authorization_url=setting("TWITTER_URL") + "/i/oauth2/authorize",
    token_url=setting("TWITTER_API_URL") + "/2/oauth2/token",
    base_url=setting("TWITTER_API_URL").rstrip("/") + "/",
    session_class=CarefulSession,
    storage=storage,
)


def github_email(github, profile):
    # The list has the addresses that somebody has only typed in, too, and in any order.
    emails = github.get("user/emails").json() if "user:email" in (github.token.get("scope") or []) else []
    return next((email["email"] for email in emails if email["primary"] is True and email["verified"] is True), None)


PROVIDERS = {
    "github": {
        "title": "GitHub",
        "blueprint": github_blueprint,
        "issuer": setting("GITHUB_URL") + "/login/oauth",
        "profile": lambda github: github.get("user").json(),
        "username": "login",
        "email": github_email,
    },
    "twitter": {
        "title": "X",
        "blueprint": twitter_blueprint,
        "issuer": None,  # X does not say its name
        "profile": lambda twitter: twitter.get("2/users/me").json()["data"],
        "username": "username",
        "email": lambda twitter, profile: profile.get("confirmed_email"),
    },
}


@github_blueprint.before_request
@twitter_blueprint.before_request
def check_answer():
    if not request.endpoint.endswith(".authorized"):
        return None
    key = f"{request.blueprint}_oauth_state"
    # The Back button, a bookmark, a restored tab: no login to finish, and no linking.
    if key not in session and current_user.is_authenticated:
        return redirect("/")
    if any(len(values) > 1 for values in request.args.listvalues()):  # one of them checked, the other used
        abort(400, "This answer says something twice.")
    # state: comes back with the answer and shows that this browser asked for it (RFC 6749 section 10.12).
    if key not in session or request.args.get("state") != session[key]:
        abort(400, "This answer does not belong to a login that began in this browser.")
    state = session.pop(key)  # good once, or an old answer could be sent again
    if request.args.get("iss") != PROVIDERS[request.blueprint]["issuer"]:  # another provider's answer (RFC 9207)
        abort(400, "This answer comes from another provider.")
    if request.args.get("error"):
        return None  # the library sends oauth_error, and refused() answers
    if "error" in request.args or not request.args.get("code"):
        abort(403, "This answer has no code in it.")
    session[key] = state  # the library looks at it too, and takes it away
    return None


@oauth_error.connect
def refused(blueprint, error, **details):
    title = PROVIDERS[blueprint.name]["title"]
    current_app.logger.warning("%s refused: %.200r", title, error)
    abort(403, f"You did not allow the login, or {title} refused it.")


@oauth_before_login.connect
def take_along_link(blueprint, url):
    # Belongs to the login that begins now, and to no later one.
    session[f"{blueprint.name}_link"] = session.pop("link", None)


@oauth_authorized.connect
def logged_in(blueprint, token):
    if "token_type" not in token:  # how to use it, and the library would guess (section 7.1)
        raise ValueError("a token of no type")
    provider = PROVIDERS[blueprint.name]
    profile = provider["profile"](blueprint.session)
    subject = profile["id"]
    if type(subject) not in (str, int) or not subject or not str(subject).isprintable() or len(str(subject)) > 255:
        raise ValueError("a profile without an id is nobody's")
    login = find_or_create(
        provider=blueprint.name,
        provider_user_id=str(subject),
        token={name: token.get(name) for name in ("access_token", "token_type", "expires_at")},
        email=text(provider["email"](blueprint.session, profile)) or None,
        username=text(profile.get("name")) or text(profile.get(provider["username"])) or text(subject),
    )
    session.clear()
    login_user(login.user)
    return False  # the token is stored, in one transaction with its owner


def find_or_create(provider, provider_user_id, token, email, username):
    # Only who has pressed Link, and is still logged in as then, gets this login into their account.
    linking = session.pop(f"{provider}_link", None) == [provider, current_user.get_id()]
    for _ in range(2):
        login = db.session.scalar(db.select(OAuth).filter_by(provider=provider, provider_user_id=provider_user_id))
        if current_user.is_authenticated and login is None and not linking:
            abort(403, "You are logged in already. Log out first, or add this login by its button Link.")
        if current_user.is_authenticated and login is not None and login.user_id != current_user.id:
            abort(403, "This login belongs to another account.")
        if login is None:
            user = db.session.get(User, current_user.id) if linking else User()
            login = OAuth(provider=provider, provider_user_id=provider_user_id, user=user)
            db.session.add(login)
        login.token, login.email = token, email
        if not linking:
            login.user.username = username
        try:
            db.session.commit()
            return login
        except IntegrityError:  # the same new person in two browsers at once: the other was quicker
            db.session.rollback()
    abort(409, "Your account has another login at this provider already. Unlink it first.")


def text(value):
    # Short, without half characters, which JSON can hold and no page can, and without NUL, which PostgreSQL refuses.
    return str(value or "").encode(errors="replace").decode().replace("\0", "")[:250]


def explain(error, provider):
    # What goes wrong between this app and a provider, as one of HTTP's errors: app.py makes the page.
    title = PROVIDERS[provider]["title"]
    current_app.logger.warning("%s's reply is of no use: %.500r", title, error)
    if isinstance(error, requests.Timeout):
        return GatewayTimeout(f"{title} took too long to answer.")
    if isinstance(error, OAuth2Error):
        return BadRequest(f"{title} did not accept the code, or does not know this app.")
    return BadGateway(f"{title} gave an answer that this app cannot use.")
