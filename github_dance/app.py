"""Article 2: Flask-Dance logs in, Flask-Login remembers the user, SQLAlchemy stores accounts with several logins.

New since raw_requests: a library sends the messages and gives signals, and one account can have two logins.
"""

import os
import re
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, abort, flash, jsonify, redirect, render_template, request, session, url_for
from flask_bootstrap import Bootstrap5
from flask_login import current_user, login_required, login_user, logout_user
from models import OAuth, User, create_tables, db, end_sessions, login_manager, reason
from oauth import PORT, PROVIDERS, URL, clean_text, optional, provider_error, setting
from oauthlib.oauth2 import TokenExpiredError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, SecurityError, ServiceUnavailable

app = Flask(__name__)
for provider in PROVIDERS.values():
    app.register_blueprint(provider["blueprint"], url_prefix="/login")
Bootstrap5(app)


# The login


@app.get("/ping")
def ping():
    return jsonify(ping="pong")


@app.get("/")
def homepage():
    title = "User information" if current_user.is_authenticated else "GitHub dance"
    logins = {login.provider: login for login in current_user.logins} if current_user.is_authenticated else {}
    return render_template("index.html", title=title, user=current_user, providers=PROVIDERS, logins=logins)


@app.get("/github", defaults={"provider": "github"})
@app.get("/twitter", defaults={"provider": "twitter"})
def login(provider):
    start = redirect(url_for(f"{provider}.login"))
    if not current_user.is_authenticated:  # the access token below is that of the current user, and of no other
        return start
    facts = PROVIDERS[provider]
    if not facts["blueprint"].session.authorized:
        return redirect(url_for("homepage"))  # where the button is that links this login
    try:
        username = clean_text(facts["profile"](facts["blueprint"].session)[facts["username"]])
    except TokenExpiredError:  # or it was revoked
        return start
    return render_template("page.html", title=facts["title"], sentence=f"You are @{username} on {facts['title']}")


@app.post("/link/<provider>")
@login_required
def link(provider):
    PROVIDERS.get(provider) or abort(404)
    session["link"] = [provider, current_user.get_id()]  # who links what: keep_link_request in oauth.py
    return redirect(url_for(f"{provider}.login"))


@app.post("/unlink/<provider>")
@login_required
def unlink(provider):
    user = db.session.get(User, current_user.id)
    end_sessions(user)
    logins = db.session.scalars(db.select(OAuth).filter_by(user_id=user.id)).all()
    unlinked = [login for login in logins if login.provider == provider] or abort(404)
    if len(logins) == 1:
        abort(409, "This is your only login: without it you could not log in again.")
    db.session.delete(unlinked[0])
    db.session.commit()
    login_user(user)  # this session goes on
    return redirect(url_for("homepage"))


@app.post("/logout")  # not GET: an image on another site could send that
def logout():
    if current_user.is_authenticated:
        logout_user()
        session.clear()
        flash("You have logged out.")
    return redirect(url_for("homepage"))


# What makes it safe: settings


def check_port():
    """Stop the app with a sentence if PORT cannot be used."""
    if not re.fullmatch("[1-9][0-9]{0,4}", PORT) or int(PORT) > 65535:
        sys.exit(f"PORT is {PORT!r}: write a number from 1 to 65535, such as 5000.")


def is_url(text):
    """Tell whether a text is a whole http or https URL."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # the port is not a number, or too large
        return False
    host = re.fullmatch(r"([\w-]{1,63}\.)*[\w-]{1,63}|::1", parts.hostname or "", re.ASCII)
    return bool(parts.scheme in ("http", "https") and host and port != 0 and not re.search(r"[\s@#]", text))


def check_own_url():
    """Stop the app if URL cannot be used: the redirect URI and the cookies would be wrong."""
    if not is_url(URL) or not re.fullmatch("https?://[a-z0-9._-]+(:[1-9][0-9]*)?", URL):
        sys.exit(f"URL is {URL!r}: write scheme, host and port, such as https://your.host or http://localhost:5000.")


def check_provider_url(name, url):
    """Stop the app if a URL of the provider cannot be used, or if code, secret and token would not be encrypted."""
    if not is_url(url):
        sys.exit(f"{name} is {url!r}: write a whole URL, such as https://provider.example/path.")
    near = on_this_machine or urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    if urlsplit(url).scheme == "http" and not (near and optional("OAUTHLIB_INSECURE_TRANSPORT")):
        sys.exit(f"{name} has to be an https URL. Plain http needs OAUTHLIB_INSECURE_TRANSPORT=1, and is for practice.")


def secret_key():
    """Return the key that signs the session cookie: anyone who has it can forge a session for any user."""
    if on_this_machine:
        return optional("SECRET_KEY") or secrets.token_hex()  # random for practice
    if len(setting("SECRET_KEY")) < 32:  # it could be guessed
        sys.exit('SECRET_KEY is too short: python -c "import secrets; print(secrets.token_hex())" prints a good one.')
    return setting("SECRET_KEY")


def database_url():
    """Return DATABASE_URL in SQLAlchemy's form, or stop the app; hosts of databases mostly write postgres://."""
    url = re.sub("^postgres(ql)?://", "postgresql+psycopg://", optional("DATABASE_URL") or "sqlite:///users.db")
    try:
        make_url(url).get_dialect().import_dbapi()
    except (SQLAlchemyError, ImportError, ValueError) as error:  # their messages can have the password
        kind = url.partition(":")[0]
        sys.exit(
            f"DATABASE_URL cannot be used ({kind}: {type(error).__name__}): "
            "write postgresql://name:password@host/database, or leave it empty for a file of SQLite."
        )
    return url


check_port()
check_own_url()
https = URL.startswith("https")
on_this_machine = urlsplit(URL).hostname in ("localhost", "127.0.0.1")
for name in ("GITHUB_URL", "GITHUB_API_URL", "TWITTER_URL", "TWITTER_API_URL"):
    check_provider_url(name, setting(name))


# What makes it safe: cookies, files, requests, headers, logs

app.config.update(
    SECRET_KEY=secret_key(),
    # Cookies ignore the port, so every app on localhost needs its own name. __Host-: no subdomain can overwrite it.
    SESSION_COOKIE_NAME=("__Host-" if https else "") + "github_dance",
    SESSION_COOKIE_SAMESITE="Lax",  # not sent with a form of another site
    SESSION_COOKIE_SECURE=https,
    PERMANENT_SESSION_LIFETIME=12 * 3600,  # seconds; an older cookie, or a copy of it, is ignored
    TRUSTED_HOSTS=[urlsplit(URL).hostname],  # never build our own URL from the Host header
    SQLALCHEMY_DATABASE_URI=database_url(),
    SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True},  # reconnect after a restart of the database
    BOOTSTRAP_SERVE_LOCAL=True,  # no other site learns who visits this one
)
origin = URL.removesuffix(":443" if https else ":80")  # as browsers write it


def keep_files_private():
    """Other users of this machine could read the access tokens in the database: folder and file are the app's alone."""
    os.umask(0o077)
    folder = Path(app.instance_path)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # both may be there since an older version
    for file in folder.glob("users.db*"):
        file.chmod(0o600)


keep_files_private()
db.init_app(app)
# No current_user in every template: the page that says that the database is unavailable would query it again.
login_manager.init_app(app, add_context_processor=False)
with app.app_context():
    create_tables()


@app.before_request
def check_request():
    """Refuse what the user has not sent with a click, before it changes anything."""
    if on_this_machine and not https and request.host_url != origin + "/":
        abort(400, f"You opened {request.host_url}, but the settings say {URL}/: set PORT or URL, and restart the app.")
    if request.method == "POST" and not is_same_origin():
        abort(403, "This form was sent by another site.")
    if request.endpoint == "login" or request.blueprint in PROVIDERS:
        if request.method == "HEAD":
            abort(405)
        if "prefetch" in request.headers.get("Sec-Purpose", ""):  # the browser guesses which link comes next
            return "", 204


def is_same_origin():
    """CSRF: SameSite allows other ports of this host and sibling subdomains (OWASP CSRF Prevention)."""
    if "Sec-Fetch-Site" in request.headers:
        return request.headers["Sec-Fetch-Site"] == "same-origin"
    return request.headers.get("Origin", "null") in ("null", origin)  # null: ours, with Referrer-Policy no-referrer


@app.after_request
def keep_private(response):
    if request.blueprint != "bootstrap" and request.endpoint != "static":  # the same files for every user
        response.headers["Cache-Control"] = "no-store"  # the browser keeps no copy, also not for the Back button
    response.headers["Referrer-Policy"] = "no-referrer"  # other sites do not see our URLs, and a code in them
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Cross-site scripting: no script runs. Clickjacking: no other site shows our pages in a frame. No form-action:
    # Chromium would block the button Link, whose form ends at the provider by a redirect.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return response


@app.errorhandler(Exception)
def problem(error):
    provider = request.blueprint if request.blueprint in PROVIDERS else (request.view_args or {}).get("provider")
    if isinstance(error, SQLAlchemyError):
        app.logger.error("The database: %s", reason(error))
        error = ServiceUnavailable("The database is not available. Please try again later.")
    elif not isinstance(error, HTTPException):
        if provider not in PROVIDERS:
            raise error  # a mistake of our own
        error = provider_error(error, provider)
    title = "Login failed" if request.blueprint in PROVIDERS else error.name
    button = "Use the button Log out." if request.path == "/logout" else "Use the button."
    sentences = {401: "Log in first, then use the button.", 405: button}
    sentence = sentences.get(error.code, error.description)
    url = URL if isinstance(error, SecurityError) else ""  # opened by another name of this machine
    return render_template("page.html", title=title, sentence=sentence, url=url), error.code


if __name__ == "__main__":
    app.run(host="localhost", port=int(PORT))
