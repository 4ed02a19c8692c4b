"""Raw requests: every message written out, two providers from one table, users in a database.

New since step 3: no OAuth library, what differs between providers is data, and an account outlives its session.
"""

import base64
import hashlib
import os
import secrets
import sys
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import requests
from dotenv import load_dotenv
from flask import Flask, abort, flash, redirect, render_template, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from werkzeug.exceptions import HTTPException

here = Path(__file__).parent
load_dotenv(here / ".env") or load_dotenv(here / ".env.example")


def setting(name):
    return os.environ.get(name) or sys.exit(f"{name} is missing: set it in .env, as .env.example shows.")


PORT = int(os.environ.get("PORT", 5000))
URL = os.environ.get("URL") or f"http://localhost:{PORT}"
on_this_machine = urlsplit(URL).hostname in ("localhost", "127.0.0.1")

app = Flask(__name__)
app.config.update(
    # Signs the session cookie: whoever knows it can be anybody. So it is not in the code, and random for practice.
    SECRET_KEY=os.environ.get("SECRET_KEY") or (secrets.token_hex() if on_this_machine else setting("SECRET_KEY")),
    # All apps on localhost share their cookies, whatever the port. __Host-: no neighbour of our host can set this one.
    SESSION_COOKIE_NAME=("__Host-" if URL.startswith("https") else "") + "raw_requests",
    SESSION_COOKIE_SAMESITE="Lax",  # another site's page cannot post our log-out form
    SESSION_COOKIE_SECURE=URL.startswith("https"),
    PERMANENT_SESSION_LIFETIME=12 * 3600,  # seconds; what is older is not read, and neither is a copy of it
    TRUSTED_HOSTS=[urlsplit(URL).hostname],  # our address is ours to say, not the Host header's
    # Addresses mostly name no driver, and SQLAlchemy before 2.1 then takes one that is not in requirements.txt.
    SQLALCHEMY_DATABASE_URI=(os.environ.get("DATABASE_URL") or "sqlite:///db.sqlite").replace(
        "postgresql://", "postgresql+psycopg://", 1
    ),
    SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True},  # the database was started anew: nobody notices
)


def if_confirmed(profile):
    # A Boolean by the standard, and in some of Google's replies the text "true" (OpenID Connect Core section 5.1).
    return profile.get("email") if profile.get("email_verified") in (True, "true") else None


def first_confirmed(emails):
    # The list has the addresses that somebody has only typed in, too, and in any order.
    return next((email["email"] for email in emails if email["primary"] is True and email["verified"] is True), None)


app.config["OAUTH2_PROVIDERS"] = {
    # https://developers.google.com/identity/protocols/oauth2/web-server#httprest
    "google": {
        "title": "Google",
        "client_id": setting("GOOGLE_CLIENT_ID"),
        "client_secret": setting("GOOGLE_CLIENT_SECRET"),
        "authorize_url": setting("GOOGLE_URL") + "/o/oauth2/auth",
        "token_url": setting("GOOGLE_URL") + "/o/oauth2/token",
        "issuer": setting("GOOGLE_URL"),
        "userinfo": {
            "url": setting("GOOGLE_API_URL") + "/oauth2/v3/userinfo",
            "subject": lambda profile: profile["sub"],
            "name": lambda profile: profile.get("name"),
            "email": if_confirmed,
        },
        "scopes": [
            "https://www.googleapis.com/auth/userinfo.email",
            "https://www.googleapis.com/auth/userinfo.profile",
        ],
    },
    # https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
    "github": {
        "title": "GitHub",
        "client_id": setting("GITHUB_CLIENT_ID"),
        "client_secret": setting("GITHUB_CLIENT_SECRET"),
        "authorize_url": setting("GITHUB_URL") + "/login/oauth/authorize",
        "token_url": setting("GITHUB_URL") + "/login/oauth/access_token",
        "issuer": setting("GITHUB_URL") + "/login/oauth",
        "userinfo": {
            "url": setting("GITHUB_API_URL") + "/user",
            "emails_url": setting("GITHUB_API_URL") + "/user/emails",
            "subject": lambda profile: profile["id"],  # people change their user name, and others take the old one
            "name": lambda profile: profile.get("name") or profile.get("login"),
            "email": first_confirmed,
        },
        "scopes": ["user:email"],
    },
}

db = SQLAlchemy(app)
# No current_user in every page: the page that says that the database is gone would ask it who is there.
login_manager = LoginManager(app, add_context_processor=False)


class User(UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    provider = db.Column(db.String(50), nullable=False)
    subject = db.Column(db.String(255), nullable=False)
    name = db.Column(db.String(250), nullable=False)
    email = db.Column(db.String(250), nullable=False)
    # Who somebody is, is (provider, subject). E-mail and name are what they say: two people can say the same.
    # AUTOINCREMENT: SQLite would give a deleted user's id, and with it their cookie, to the next one.
    __table_args__ = (db.UniqueConstraint("provider", "subject"), {"sqlite_autoincrement": True})


try:
    with app.app_context():
        db.create_all()
except SQLAlchemyError as error:
    sys.exit(f"The database does not answer: check DATABASE_URL. {error}")


@login_manager.user_loader
def load_user(user_id):
    return db.session.get(User, int(user_id))


@app.get("/")
def index():
    title = "User information" if current_user.is_authenticated else "Raw requests"
    return render_template("index.html", title=title, user=current_user)


@app.get("/authorize/<provider>")
def oauth2_authorize(provider):
    if current_user.is_authenticated:
        return redirect(url_for("index"))
    provider_data = app.config["OAUTH2_PROVIDERS"].get(provider) or abort(404)

    session["oauth2_provider"] = provider
    session["oauth2_state"] = secrets.token_urlsafe(32)
    session["oauth2_code_verifier"] = secrets.token_urlsafe(48)
    digest = hashlib.sha256(session["oauth2_code_verifier"].encode()).digest()

    # The authorization request: through the browser, so everybody on that machine can read it (RFC 6749 section 4.1.1).
    query = {
        "response_type": "code",  # answer with a code, which is of no use without the secret
        "client_id": provider_data["client_id"],  # who asks; public
        "redirect_uri": redirect_uri(provider),  # where the answer goes; has to be registered (section 3.1.2)
        "scope": " ".join(provider_data["scopes"]),  # what the app wants to know, and no more (section 3.3)
        "state": session["oauth2_state"],  # comes back: this browser asked for the answer (section 10.12)
        # PKCE: the hash of a secret that follows with the code, so a stolen code is no use (RFC 7636 section 4.3)
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    return redirect(f"{provider_data['authorize_url']}?{urlencode(query)}")


@app.get("/callback/<provider>")
def oauth2_callback(provider):
    if current_user.is_authenticated:  # the Back button, a bookmark, a restored tab: no login to finish
        return redirect(url_for("index"))
    provider_data = app.config["OAUTH2_PROVIDERS"].get(provider) or abort(404)

    # The answer: through the browser, so anybody can have written it (RFC 6749 section 4.1.2).
    if any(len(values) > 1 for values in request.args.listvalues()):  # one of them checked, the other used
        abort(400, "This answer says something twice.")
    if "oauth2_state" not in session or request.args.get("state") != session["oauth2_state"]:
        abort(400, "This answer does not belong to a login that began in this browser.")
    if provider != session["oauth2_provider"]:  # the state of one provider is known to it, and no use at another
        abort(400, "This answer belongs to a login at another provider.")
    session.pop("oauth2_state")  # good once, or an old answer could be sent again
    code_verifier = session.pop("oauth2_code_verifier")
    if request.args.get("iss") != provider_data["issuer"]:  # the provider says its name in its answer (RFC 9207)
        abort(400, "This answer comes from another provider.")
    if "error" in request.args or not request.args.get("code"):  # only now: anybody can write it (section 4.1.2.1)
        abort(403, f"You did not allow the login, or {provider_data['title']} refused it.")

    try:
        token = fetch_token(provider, provider_data, request.args["code"], code_verifier)
        subject, name, email = fetch_user(provider_data["userinfo"], token)
    except requests.Timeout:
        abort(504, f"{provider_data['title']} took too long to answer.")
    except Refused as error:
        app.logger.warning("%s refused: %.200r", provider_data["title"], error)
        abort(400, f"{provider_data['title']} did not accept the code, or does not know this app.")
    except Exception as error:  # what a malformed reply leads to is as various as the ways to be malformed
        app.logger.warning("%s's reply is of no use: %.200r", provider_data["title"], error)
        abort(502, f"{provider_data['title']} gave an answer that this app cannot use.")

    user = find_or_create(provider, subject, name, email)
    session.clear()
    login_user(user)
    return redirect(url_for("index"))


def redirect_uri(provider):
    return URL + url_for("oauth2_callback", provider=provider)


def fetch_token(provider, provider_data, code, code_verifier):
    # The token request: from server to server, so the secret may be in it (RFC 6749 section 4.1.3).
    form = {
        "grant_type": "authorization_code",  # what is offered for the token: a code
        "code": code,  # good once, and for a minute or ten
        "redirect_uri": redirect_uri(provider),  # the same as before, or it is refused
        "client_id": provider_data["client_id"],
        "client_secret": provider_data["client_secret"],  # we are the app that asked (section 2.3.1)
        "code_verifier": code_verifier,  # and this is the login that asked (RFC 7636 section 4.5)
    }
    reply = ask("POST", provider_data["token_url"], data=form)
    if reply["token_type"].lower() != "bearer":  # how to use it, and we know one way (section 7.1)
        raise ValueError("a token of a type that this app does not know")
    return reply["access_token"]


def fetch_user(userinfo, token):
    # A Bearer token is like cash: whoever holds it may ask, so it goes to the provider alone (RFC 6750 section 2.1).
    headers = {"Authorization": f"Bearer {token}"}
    profile = ask("GET", userinfo["url"], headers=headers)
    emails = ask("GET", userinfo["emails_url"], headers=headers) if "emails_url" in userinfo else profile
    subject = userinfo["subject"](profile)
    if type(subject) not in (str, int) or not subject or not str(subject).isprintable() or len(str(subject)) > 255:
        raise ValueError("a profile without a subject is nobody's")
    return str(subject), text(userinfo["name"](profile)), text(userinfo["email"](emails))


class Refused(Exception):
    pass


def ask(method, url, headers=None, data=None):
    with requests.Session() as http:
        http.trust_env = False  # or a password for this host in ~/.netrc would take the place of our token
        reply = http.request(
            method,
            url,
            headers={"Accept": "application/json", **(headers or {})},  # GitHub answers with a form otherwise
            data=data,
            timeout=5,
            allow_redirects=False,  # a redirect would take code, secret or token to another address
        )
    answer = reply.json()
    if "error" in answer:  # also under status 200: GitHub's way (the RFC's is 400, section 5.2)
        raise Refused(answer)
    if reply.status_code != 200:  # an error page may well have a profile in it
        raise ValueError(f"status {reply.status_code}")
    return answer


def text(value):
    # Short, without half characters, which JSON can hold and no page can, and without NUL, which PostgreSQL refuses.
    return str(value or "").encode(errors="replace").decode().replace("\0", "")[:250]


def find_or_create(provider, subject, name, email):
    for _ in range(2):
        user = db.session.scalar(db.select(User).filter_by(provider=provider, subject=subject))
        if user is None:
            user = User(provider=provider, subject=subject)
            db.session.add(user)
        user.name, user.email = name, email
        try:
            db.session.commit()
            return user
        except IntegrityError:  # the same new person in two browsers at once: the other was quicker
            db.session.rollback()
    abort(503, "Somebody is logging in to this account at this very moment.")


@app.post("/logout")
def logout():
    # A form on another site comes here without the cookie. Clearing what is empty would delete it all the same.
    if current_user.is_authenticated:
        logout_user()
        session.clear()
        flash("You have logged out.")
    return redirect(url_for("index"))


@app.errorhandler(HTTPException)
def problem(error):
    title = "Login failed" if request.path.startswith("/callback/") and error.code != 404 else error.name
    sentence = "Use the button Log out." if error.code == 405 else error.description
    return render_template("problem.html", title=title, problem=sentence, url=URL), error.code


@app.errorhandler(SQLAlchemyError)
def database_problem(error):
    app.logger.error("The database: %r", error)
    title = "Login failed" if request.endpoint == "oauth2_callback" else "Service Unavailable"
    return render_template("problem.html", title=title, problem="The database does not answer.", url=URL), 503


@app.after_request
def keep_private(response):
    response.headers["Cache-Control"] = "no-store"  # after a log out the back button shows nothing
    response.headers["Referrer-Policy"] = "no-referrer"  # the code in our address goes to no other site
    return response


if __name__ == "__main__":
    app.run(host="localhost", port=PORT)
