"""Raw requests: every message of a login written by hand, two providers from one table, users in a database.

New since step 3: no OAuth library, what differs between providers is data, and an account outlives its session.
"""

import base64
import hashlib
import re
import secrets
from contextlib import contextmanager
from urllib.parse import urlencode, urlsplit

import requests
from flask import Flask, abort, flash, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user
from models import connect, find_or_create, reason
from providers import OAUTH2_PROVIDERS
from settings import PORT, URL, https, on_this_machine, origin, secret_key
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, SecurityError

app = Flask(__name__)
connect(app)


# The login


@app.get("/")
def index():
    title = "User information" if current_user.is_authenticated else "Raw requests"
    return render_template("index.html", title=title, user=current_user, providers=OAUTH2_PROVIDERS)


@app.get("/authorize/<provider>")
def oauth2_authorize(provider):
    if current_user.is_authenticated:
        return redirect(url_for("index"))
    provider_data = OAUTH2_PROVIDERS.get(provider) or abort(404)
    session["oauth2_provider"] = provider
    session["oauth2_state"] = secrets.token_urlsafe(32)
    session["oauth2_code_verifier"] = secrets.token_urlsafe(48)
    return redirect(f"{provider_data['authorize_url']}?{urlencode(authorization_request(provider, provider_data))}")


def authorization_request(provider, provider_data):
    # It goes through the browser, so users, extensions and logs can read it (RFC 6749 section 4.1.1).
    digest = hashlib.sha256(session["oauth2_code_verifier"].encode()).digest()
    return {
        "response_type": "code",  # the response has a code, which is useless without the secret
        "client_id": provider_data["client_id"],  # which app sends the request; public
        "redirect_uri": redirect_uri(provider),  # where the response goes; has to be registered (section 3.1.2)
        "scope": " ".join(provider_data["scopes"]),  # what the app needs to know, and no more (section 3.3)
        "state": session["oauth2_state"],  # comes back and proves that this browser asked for it (section 10.12)
        # PKCE: send the hash now and the verifier with the code, so that a stolen code is useless (RFC 7636).
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }


@app.get("/callback/<provider>")
def oauth2_callback(provider):
    if current_user.is_authenticated:  # the Back button, a bookmark, a restored tab: there is nothing left to do
        return redirect(url_for("index"))
    provider_data = OAUTH2_PROVIDERS.get(provider) or abort(404)
    code_verifier = check_response(provider, provider_data)
    with provider_errors(provider_data["title"]):
        token = fetch_token(provider, provider_data, request.args["code"], code_verifier)
        subject, name, email = fetch_user(provider_data["userinfo"], token)
    user = find_or_create(provider, subject, name, email)
    session.clear()
    login_user(user)
    return redirect(url_for("index"))


def redirect_uri(provider):
    return URL + url_for("oauth2_callback", provider=provider)


def fetch_token(provider, provider_data, code, code_verifier):
    # It goes from server to server, so it may hold the secret (RFC 6749 section 4.1.3).
    form = {
        "grant_type": "authorization_code",  # what the token is requested with: a code
        "code": code,  # single use, and valid for some minutes
        "redirect_uri": redirect_uri(provider),  # the same as before, or the provider refuses it
        "client_id": provider_data["client_id"],
        "client_secret": provider_data["client_secret"],  # proves that this is the app (section 2.3.1)
        "code_verifier": code_verifier,  # proves that this is the login that asked for the code (RFC 7636 section 4.5)
    }
    token = read_json(send_request("POST", provider_data["token_url"], data=form))
    check_token(token)
    return token["access_token"]


def fetch_user(userinfo, token):
    # Anyone who has a Bearer token can use it, so it goes to the provider only (RFC 6750 section 2.1).
    headers = {"Authorization": f"Bearer {token}"}
    profile = read_json(send_request("GET", userinfo["url"], headers=headers))
    emails = fetch_emails(userinfo["emails_url"], headers) if "emails_url" in userinfo else profile
    return (
        read_subject(userinfo["subject"](profile)),
        clean_text(userinfo["name"](profile)),
        clean_text(userinfo["email"](emails)),
    )


def fetch_emails(url, headers):
    response = send_request("GET", url, headers=headers)
    if response.status_code in (403, 404):  # the scope was not granted, or the app may not read e-mail addresses
        app.logger.warning("The user has no e-mail here: %s returned status %s", url, response.status_code)
        return []
    return read_json(response)


@app.post("/logout")  # not GET: an image on another site could send that
def logout():
    if current_user.is_authenticated:
        logout_user()
        session.clear()
        flash("You have logged out.")
    return redirect(url_for("index"))


# What makes it safe: the authorization response


def has_right_state(provider):
    """Login CSRF: only the browser that started the login has its state (RFC 6749 section 10.12)."""
    # Mix-up: the provider that the state was sent to knows it, so at another one it is unusable (RFC 9700 section 4.4).
    if provider != session.get("oauth2_provider"):
        return False
    return "oauth2_state" in session and request.args.get("state") == session["oauth2_state"]


def check_response(provider, provider_data):
    """Return the code verifier, once it is certain that this browser asked for this response and the user agreed."""
    if any(len(values) > 1 for values in request.args.listvalues()):  # one value would be checked, the other used
        abort(400, "The response contains a parameter twice.")
    if not has_right_state(provider):  # before anything else: strangers can write an error, too
        abort(400, "This login was not started in this browser, or it is too old. Please try again.")
    session.pop("oauth2_state")  # single use, or an old response could be replayed (RFC 9700 section 4.7)
    code_verifier = session.pop("oauth2_code_verifier")
    if "error" in request.args:
        app.logger.warning("%s refused the login: %s", provider_data["title"], for_log(description(request.args)))
    check_issuer(provider_data["issuer"])
    if "error" in request.args or not request.args.get("code"):
        abort(403, f"You did not allow the login, or {provider_data['title']} refused it.")
    return code_verifier


def check_issuer(expected):
    """Mix-up: a response of one provider could be used in a login at another (RFC 9207)."""
    issuer = request.args.get("iss")
    if issuer != expected:
        app.logger.warning("The response came from the issuer %.300r, expected was %.300r", issuer, expected)
        abort(400, "The response came from another provider.")


# What makes it safe: the provider's responses


def send_request(method, url, headers=None, data=None):
    return requests.request(
        method,
        url,
        headers={"Accept": "application/json", **(headers or {})},  # GitHub would respond with a form
        data=data,
        # An auth that does nothing: without one, requests would replace our token by a password from ~/.netrc.
        auth=lambda prepared: prepared,
        timeout=5,
        allow_redirects=False,  # a redirect would send code, secret or token to another URL
    )


def read_json(response):
    """Accept status 200 without an error only: error pages can hold a profile, and errors can have status 200."""
    try:
        fields = response.json()
        reason = description(fields)
    except (ValueError, RecursionError):  # not JSON, or deeply nested
        fields, reason = None, response.headers.get("WWW-Authenticate", "").partition(" ")[2] or "no JSON"
    has_error = isinstance(fields, dict) and "error" in fields
    if response.status_code == 200 and isinstance(fields, dict | list) and not has_error:
        return fields
    problem = f"{response.url} returned status {response.status_code}: {reason or 'without a reason'}"
    is_refusal = response.status_code in (400, 401) or response.status_code == 200 and has_error
    raise requests.HTTPError(problem) if is_refusal else ValueError(problem)


def check_token(token):
    """Refuse a token of a type that this app does not know (RFC 6749 section 7.1), or one that fits into no header."""
    if token["token_type"].lower() != "bearer":
        raise ValueError("the token response has another token_type than Bearer")
    if not re.fullmatch("[!-~]+", token["access_token"]):
        raise ValueError("the token response has no usable access_token")


def read_subject(subject):
    """Refuse a profile without a subject, because all such users would share one account."""
    if type(subject) not in (str, int) or not subject or not str(subject).isprintable() or len(str(subject)) > 255:
        raise ValueError("the profile has no usable subject")
    return str(subject)


def clean_text(value):
    """Return at most 250 characters, without lone surrogates (no page shows them) and NUL (PostgreSQL refuses it)."""
    return str(value or "").encode(errors="replace").decode().replace("\0", "")[:250]


def description(fields):
    """Return what the provider says is wrong. Only these are read, because an error response can hold a token."""
    names = ("error", "error_description", "message") if isinstance(fields, dict) else ()
    return ": ".join(str(fields[name]) for name in names if name in fields)


def for_log(value):
    """Return one line for the log, cut to size and without anything that may be a token or a code."""
    return re.sub(r"Bearer .*|[\w-]{40,}|(?=[\w-]*\d)[\w-]{20,}", "(hidden)", repr(value))[:500]


@contextmanager
def provider_errors(title):
    """Turn whatever goes wrong with the provider into a page for the user and a line in the log for you."""
    try:
        yield
    except requests.Timeout as error:
        app.logger.warning("%s took too long to respond: %s", title, for_log(error))
        abort(504, f"{title} took too long to respond.")
    except requests.HTTPError as error:
        app.logger.warning("%s refused the request: %s", title, for_log(error))
        abort(400, f"{title} did not accept the code, or does not know this app.")
    except Exception as error:  # a malformed response can lead to almost any exception
        app.logger.warning("%s sent an unexpected response: %s", title, for_log(error))
        abort(502, f"{title} sent an unexpected response.")


# What makes it safe: cookies, requests, headers, logs

app.config.update(
    SECRET_KEY=secret_key(),
    # Cookies ignore the port, so every app on localhost needs its own name. __Host-: no subdomain can overwrite it.
    SESSION_COOKIE_NAME=("__Host-" if https else "") + "raw_requests",
    SESSION_COOKIE_SAMESITE="Lax",  # not sent with a form of another site
    SESSION_COOKIE_SECURE=https,
    PERMANENT_SESSION_LIFETIME=12 * 3600,  # seconds; an older cookie, or a copy of it, is ignored
    TRUSTED_HOSTS=[urlsplit(URL).hostname],  # never build our own URL from the Host header
)


@app.before_request
def check_request():
    """Refuse what the user has not sent with a click, before it changes anything."""
    if on_this_machine and not https and request.host_url != origin + "/":
        abort(400, f"You opened {request.host_url}, but the settings say {URL}/: set PORT or URL, and restart the app.")
    if request.method == "POST" and not is_same_origin():
        abort(403, "This form was sent by another site.")
    if request.endpoint in ("oauth2_authorize", "oauth2_callback"):
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
    response.headers["Cache-Control"] = "no-store"  # the browser keeps no copy, also not for the Back button
    response.headers["Referrer-Policy"] = "no-referrer"  # other sites do not see our URLs, and a code in them
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Cross-site scripting: no script runs. Clickjacking: no other site shows our pages in a frame.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return response


@app.errorhandler(HTTPException)
def problem(error):
    title = "Login failed" if request.path.startswith("/callback/") and error.code != 404 else error.name
    sentence = "Use the button Log out." if error.code == 405 and request.path == "/logout" else error.description
    url = URL if isinstance(error, SecurityError) else ""  # opened by another name of this machine
    return render_template("problem.html", title=title, problem=sentence, url=url), error.code


@app.errorhandler(SQLAlchemyError)
def database_problem(error):
    app.logger.error("The database: %s", reason(error))
    title = "Login failed" if request.endpoint == "oauth2_callback" else "Service Unavailable"
    sentence = "The database does not respond. Please try again later."
    return render_template("problem.html", title=title, problem=sentence, url=""), 503


if __name__ == "__main__":
    app.run(host="localhost", port=int(PORT))
