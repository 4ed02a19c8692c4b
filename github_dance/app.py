"""Article 2: Flask-Dance dances, Flask-Login remembers who is there, SQLAlchemy keeps accounts with many logins.

New since raw_requests: a library sends the messages and gives signals, and one account can have two logins.
"""

import os
import secrets
import sys
from urllib.parse import urlsplit

from flask import Flask, abort, flash, jsonify, redirect, render_template, request, session, url_for
from flask_bootstrap import Bootstrap5
from flask_login import current_user, login_required, logout_user
from models import OAuth, User, db, login_manager
from oauth import PROVIDERS, explain, setting, text
from oauthlib.oauth2 import TokenExpiredError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, ServiceUnavailable

PORT = int(os.environ.get("PORT", 5000))
URL = os.environ.get("URL") or f"http://localhost:{PORT}"
on_this_machine = urlsplit(URL).hostname in ("localhost", "127.0.0.1")
if os.environ.get("OAUTHLIB_INSECURE_TRANSPORT") and not (
    on_this_machine
    or all(urlsplit(p["blueprint"].token_url).hostname in ("localhost", "127.0.0.1") for p in PROVIDERS.values())
):  # code and secret would go out for all to read
    sys.exit("OAUTHLIB_INSECURE_TRANSPORT is for practice on this machine: leave it empty in .env.")

app = Flask(__name__)
app.config.update(
    URL=URL,
    # Signs the session cookie: whoever knows it can be anybody. So it is not in the code, and random for practice.
    SECRET_KEY=os.environ.get("SECRET_KEY") or (secrets.token_hex() if on_this_machine else setting("SECRET_KEY")),
    # All apps on localhost share their cookies, whatever the port. __Host-: no neighbour of our host can set this one.
    SESSION_COOKIE_NAME=("__Host-" if URL.startswith("https") else "") + "github_dance",
    SESSION_COOKIE_SAMESITE="Lax",  # another site's page cannot post our forms
    SESSION_COOKIE_SECURE=URL.startswith("https"),
    PERMANENT_SESSION_LIFETIME=12 * 3600,  # seconds; what is older is not read, and neither is a copy of it
    TRUSTED_HOSTS=[urlsplit(URL).hostname],  # our address is ours to say, not the Host header's
    # psycopg is the name of PostgreSQL's driver; addresses are mostly written without it.
    SQLALCHEMY_DATABASE_URI=(os.environ.get("DATABASE_URL") or "sqlite:///users.db").replace(
        "postgresql://", "postgresql+psycopg://", 1
    ),
    SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True},  # a server that was started anew is asked again
    BOOTSTRAP_SERVE_LOCAL=True,  # no other site learns who comes here
)
for provider in PROVIDERS.values():
    app.register_blueprint(provider["blueprint"], url_prefix="/login")

Bootstrap5(app)
db.init_app(app)
# No current_user in every page: the page that says that the database is gone would ask it who is there.
login_manager.init_app(app, add_context_processor=False)

try:
    with app.app_context():
        db.create_all()
except SQLAlchemyError as error:
    raise SystemExit(f"The database does not answer: check DATABASE_URL. {error}") from None


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
    if not current_user.is_authenticated:  # the token below is that of the user who asks, and of nobody else
        return start
    facts = PROVIDERS[provider]
    if not facts["blueprint"].session.authorized:
        return redirect(url_for("homepage"))  # where the button is that links this login
    try:
        username = text(facts["profile"](facts["blueprint"].session)[facts["username"]])
    except TokenExpiredError:
        return start
    return render_template("page.html", title=facts["title"], sentence=f"You are @{username} on {facts['title']}")


@app.post("/link/<provider>")
@login_required
def link(provider):
    PROVIDERS.get(provider) or abort(404)
    session["link"] = [provider, current_user.get_id()]  # who wants what; oauth.py takes it along
    return redirect(url_for(f"{provider}.login"))


@app.post("/unlink/<provider>")
@login_required
def unlink(provider):
    # Takes the account's lock until the commit: two windows at once would each leave the other's login, and so none.
    db.session.execute(db.update(User).filter_by(id=current_user.id).values(id=User.id))
    logins = db.session.scalars(db.select(OAuth).filter_by(user_id=current_user.id)).all()
    unlinked = [login for login in logins if login.provider == provider] or abort(404)
    if len(logins) == 1:
        abort(409, "This is your only login: without it you could not come in again.")
    db.session.delete(unlinked[0])
    db.session.commit()
    return redirect(url_for("homepage"))


@app.post("/logout")
def logout():
    # A form on another site comes here without the cookie. Clearing what is empty would delete it all the same.
    if current_user.is_authenticated:
        logout_user()
        session.clear()
        flash("You have logged out.")
    return redirect(url_for("homepage"))


@app.errorhandler(Exception)
def problem(error):
    provider = request.blueprint if request.blueprint in PROVIDERS else (request.view_args or {}).get("provider")
    if isinstance(error, SQLAlchemyError):
        app.logger.error("The database: %r", error)  # %s would add the statement's values, and one is a token
        error = ServiceUnavailable("The database does not answer.")
    elif not isinstance(error, HTTPException):
        if provider not in PROVIDERS:
            raise error  # a mistake of our own
        error = explain(error, provider)
    title = "Login failed" if request.blueprint in PROVIDERS else error.name
    button = "Use the button Log out." if request.path == "/logout" else "Use the button."
    sentences = {401: "Log in first, then use the button.", 405: button}
    sentence = sentences.get(error.code, error.description)
    return render_template("page.html", title=title, sentence=sentence, url=URL), error.code


@app.after_request
def keep_private(response):
    if request.blueprint != "bootstrap":  # whose files are the same for everybody
        response.headers["Cache-Control"] = "no-store"  # after a log out the back button shows nothing
    response.headers["Referrer-Policy"] = "no-referrer"  # the code in our address goes to no other site
    return response


if __name__ == "__main__":
    app.run(host="localhost", port=PORT)
