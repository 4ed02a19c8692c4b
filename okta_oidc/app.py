"""Article 4: OpenID Connect with Flask-OIDC, at Okta, which has the accounts and signs who a user is.

New since github_dance: a signed ID token with all its checks, sign-up and log-out at the provider, an API with a key.
"""

import secrets
import time
from urllib.parse import urlsplit

from flask import Flask, abort, g, redirect, render_template, request, session, url_for
from flask_bootstrap import Bootstrap5
from flask_oidc import OpenIDConnect
from flask_session import Session
from logins import find_login, keep_login, take_login
from oidc import (
    END_SESSION,
    ISS_SUPPORTED,
    OIDC,
    PROVIDER,
    REDIRECT_URI,
    check_id_token,
    check_profile,
    description,
    discover,
    fetch_token,
    fetch_user,
    for_log,
    provider_errors,
    set_up_client,
)
from sessions import SESSION
from settings import OKTA_ISSUER, PORT, SECRET_KEY, URL, https, on_this_machine, origin
from werkzeug.exceptions import HTTPException, SecurityError, ServiceUnavailable


class OktaConnect(OpenIDConnect):
    """Flask-OIDC, with two methods of our own: they say when a login expires, and how one begins."""

    def check_token_expiry(self):  # runs before each request; the library's own would refresh a token unchecked
        token = session.get("oidc_auth_token")
        if token and token["expires_at"] <= time.time() and request.endpoint != "logout":
            session.clear()  # a new login begins where one is needed

    def redirect_to_auth_server(self, destination=None, customstate=None):  # require_login calls it
        return check_click() or begin_login()


app = Flask(__name__)
app.config.update(OIDC, **SESSION, SECRET_KEY=SECRET_KEY)
app.config["TRUSTED_HOSTS"] = [urlsplit(URL).hostname]  # never build our own URL from the Host header
app.config["BOOTSTRAP_SERVE_LOCAL"] = True  # no other site learns who visits this one
Session(app)
Bootstrap5(app)
oidc = OktaConnect(app, prefix="/oidc")
okta = oidc.oauth.oidc
set_up_client(okta)


# The login


@app.before_request
def before_request():
    g.user = session.get("user")


@app.get("/")
def index():
    return render_template("index.html")


@app.get("/dashboard")
@oidc.require_login
def dashboard():
    return render_template("dashboard.html")


@app.get("/login")
@oidc.require_login
def login():
    return redirect(url_for("dashboard"))


def begin_login():
    with provider_errors(okta):
        discover(okta)
        # nonce: the ID token repeats it, or it was issued in another login (OpenID Connect Core section 15.5.2).
        request_data = okta.create_authorization_url(REDIRECT_URI, nonce=secrets.token_urlsafe())
    response = redirect(request_data["url"])
    keep_login(response, request_data["state"], request_data["nonce"], request_data["code_verifier"])
    return response


@app.get("/oidc/callback")  # the article's path; the library's own is /oidc/authorize
def callback():
    if "user" in session and not has_right_state():  # the Back button, a bookmark, a restored tab
        return redirect("/")
    login = check_response()
    with provider_errors(okta):
        token = fetch_token(okta, request.args["code"], login)
        user_id = check_id_token(okta, token, login["nonce"])
        profile = check_profile(okta, token, user_id)
        user = fetch_user(okta, profile)
    session.clear()
    # For the log out. The access token is no longer needed, and what is not stored cannot be stolen.
    session["oidc_auth_token"] = {"id_token": token["id_token"], "expires_at": token["expires_at"]}
    session["user"] = user
    # Session fixation: an attacker who knows the old session id, or has planted it here, would be logged in, too.
    app.session_interface.regenerate(session)
    return redirect(f"{URL}/{login['page']}")


@app.post("/logout")  # not GET: an image on another site could send that
def logout():
    token = session.get("oidc_auth_token")
    if not token:
        return redirect("/")
    session.clear()  # an empty session is also removed from the server; here before there
    with provider_errors(okta):
        discover(okta)
        if END_SESSION not in okta.server_metadata:
            return redirect("/")
        # RP-Initiated Logout section 2. It adds a state, and nothing here depends on what comes back.
        logout_request = okta.create_logout_url(post_logout_redirect_uri=f"{URL}/", id_token_hint=token["id_token"])
    return redirect(logout_request["url"])


# What makes it safe: the authorization response


def has_right_state():
    """Login CSRF: only the browser that started the login has its state (RFC 6749 section 10.12)."""
    return find_login() is not None


def check_response():
    """Return the login, once it is certain that this browser asked for this response and the user agreed."""
    if any(len(values) > 1 for values in request.args.listvalues()):  # one value would be checked, the other used
        abort(400, "The response contains a parameter twice.")
    if not has_right_state():  # before anything else: strangers can write an error, too
        abort(400, "This login was not started in this browser, or it is too old. Please try again.")
    login = take_login()
    if "error" in request.args:
        app.logger.warning("%s refused the login: %s", PROVIDER, for_log(description(request.args)))
    check_issuer()
    check_refusal()
    return login


def check_issuer():
    """Mix-up: a response of one provider could be used in a login at another (RFC 9207)."""
    with provider_errors(okta):
        discover(okta)
    issuer = request.args.get("iss")
    if issuer is None and not okta.server_metadata[ISS_SUPPORTED]:
        return
    if issuer != OKTA_ISSUER:
        app.logger.warning("The response came from the issuer %.300r, expected was %.300r", issuer, OKTA_ISSUER)
        abort(400, "The response came from another provider.")


def check_refusal():
    """Refuse an error, and a code beside one (RFC 6749 section 4.1.2.1)."""
    if "error" in request.args or not request.args.get("code"):
        what_to_do = "If you did allow it, ask your administrator to assign you to this app."
        abort(403, f"You did not allow the login, or {PROVIDER} refused it.\n{what_to_do}")


# What makes it safe: requests and headers


@app.before_request
def check_request():
    """Refuse what the user has not sent with a click, before it changes anything."""
    if on_this_machine and not https and request.host_url != origin + "/":
        abort(400, f"You opened {request.host_url}, but the settings say {URL}/: set PORT or URL, and restart the app.")
    if request.method == "POST" and not is_same_origin():
        abort(403, "This form was sent by another site.")
    # The library's own pages: a log out by GET, a callback without our checks, a login with a `next` of any site.
    if request.blueprint == "oidc_auth" or request.endpoint == "legacy_oidc_callback":
        abort(404)
    return check_click() if request.endpoint in ("login", "callback") else None


def check_click():
    """Refuse what the user has not sent with a click, before it starts a login or uses one up."""
    if request.method == "HEAD":
        abort(405)
    if "prefetch" in request.headers.get("Sec-Purpose", ""):  # the browser guesses which link comes next
        return "", 204
    if request.headers.get("Sec-Fetch-Dest", "document") != "document":  # a picture, a frame or a script of any site
        abort(403, "You are not logged in. Open this page in a tab of its own, and log in there.")


def is_same_origin():
    """CSRF: SameSite allows other ports of this host and sibling subdomains (OWASP CSRF Prevention)."""
    if "Sec-Fetch-Site" in request.headers:
        return request.headers["Sec-Fetch-Site"] == "same-origin"
    return request.headers.get("Origin", "null") in ("null", origin)  # null: ours, with Referrer-Policy no-referrer


@app.after_request
def keep_private(response):
    response.headers["Cache-Control"] = "no-store"  # the browser keeps no copy, also not for the Back button
    response.headers["Referrer-Policy"] = "no-referrer"  # other sites do not see our URLs, and a code in them
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Cross-site scripting: no script runs. Clickjacking: no other site shows our pages in a frame. No form-action:
    # Log out redirects to Okta, and browsers block a form that does.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return response


@app.errorhandler(HTTPException)
def problem(error):
    if isinstance(getattr(error, "original_exception", None), OSError):
        error = ServiceUnavailable("This app cannot reach its sessions at the moment. Please try again later.")
    title = "Login failed" if request.path in ("/oidc/callback", "/login", "/dashboard") else error.name
    sentence = "Use the button Log out." if error.code == 405 and request.path == "/logout" else error.description
    url = URL if isinstance(error, SecurityError) else ""  # opened by another name of this machine
    return render_template("problem.html", title=title, sentence=sentence, url=url), error.code


if __name__ == "__main__":
    app.run(host="localhost", port=int(PORT))
