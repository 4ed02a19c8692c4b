"""Step 3: the complete login flow, with requests-oauthlib.

New since step 2: /login sends the visitor to the provider, /callback takes them back in, /logout lets them go.
"""

import logging
import os
import re
import secrets
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests
from dotenv import load_dotenv
from flask import Flask, abort, redirect, render_template_string, request, session
from oauthlib.oauth2 import OAuth2Error, WebApplicationClient
from requests_oauthlib import OAuth2Session
from werkzeug.exceptions import HTTPException, SecurityError

here = Path(__file__).parent
try:  # one file, never both: practice values must not fill the gaps between real ones
    load_dotenv(here / (".env" if (here / ".env").exists() else ".env.example"), encoding="utf-8-sig")
except (OSError, ValueError):
    sys.exit(".env cannot be read: save it as plain text in UTF-8.")


def optional(name):
    return os.environ.get(name, "").strip()  # an empty setting is the same as a missing one


def setting(name):
    return optional(name) or sys.exit(f"{name} is missing: set it in .env, as .env.example shows.")


PROVIDER = "SimpleLogin"
CLIENT_ID = setting("CLIENT_ID")
CLIENT_SECRET = setting("CLIENT_SECRET")
AUTHORIZATION_BASE_URL = setting("AUTHORIZATION_BASE_URL")
TOKEN_URL = setting("TOKEN_URL")
USERINFO_URL = setting("USERINFO_URL")
ISSUER = optional("ISSUER") or None  # for a provider that sends iss; SimpleLogin does not
SCOPE = optional("OAUTH_SCOPE") or None  # for a provider that needs one; SimpleLogin does not

PORT = optional("PORT") or "5000"
URL = (optional("URL") or f"http://localhost:{PORT}").lower().rstrip("/")
REDIRECT_URI = URL + "/callback"

app = Flask(__name__)

PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<main>
<h1>{{ title }}</h1>
{% if problem %}
<p>{{ problem }}</p>
<p><a href="{{ url }}/">Try again</a></p>
{% elif user %}
<p>Logged in as {{ user.name or user.email or user.sub }}</p>
<p>E-mail: {{ user.email or "not given" }}</p>
{% if user.picture.startswith(("https://", "http://")) %}<img src="{{ user.picture }}" alt="Picture">{% endif %}
<form method="post" action="/logout"><button>Log out</button></form>
{% else %}
<p><a href="/login">Log in with {{ provider }}</a></p>
{% endif %}
</main>
</html>"""


# The login


@app.get("/")
def home():
    title = "User information" if "user" in session else "Step 3: the complete login flow"
    return render_template_string(PAGE, title=title, user=session.get("user"), provider=PROVIDER)


@app.get("/login")
def login():
    client = WebApplicationClient(CLIENT_ID)
    # PKCE: send the hash now and the verifier with the code, so that a stolen code is useless (RFC 7636).
    code_verifier = client.create_code_verifier(64)
    code_challenge = client.create_code_challenge(code_verifier, "S256")
    oauth = OAuth2Session(client=client, redirect_uri=REDIRECT_URI, scope=SCOPE)
    # state: comes back with the response and proves that this browser asked for it (RFC 6749 section 10.12).
    authorization_url, state = oauth.authorization_url(
        AUTHORIZATION_BASE_URL, code_challenge=code_challenge, code_challenge_method="S256"
    )
    session["state"], session["code_verifier"] = state, code_verifier
    return redirect(authorization_url)


@app.get("/callback")
def callback():
    if "user" in session and not has_right_state():  # the Back button, a bookmark, a restored tab
        return redirect("/")
    code_verifier = check_response()
    oauth = OAuth2Session(CLIENT_ID, redirect_uri=REDIRECT_URI)
    oauth.hooks["response"].append(check_status)
    with provider_errors():
        oauth.fetch_token(
            TOKEN_URL,
            code=request.args["code"],
            code_verifier=code_verifier,
            client_secret=CLIENT_SECRET,
            include_client_id=True,  # id and secret in the body, where no character needs escaping
            timeout=5,
        )
        check_token_type(oauth.token)
        user = read_user(oauth.get(USERINFO_URL, timeout=5).json())
    session.clear()
    session["user"] = user
    return redirect("/")


@app.post("/logout")  # not GET: an image on another site could send that
def logout():
    if "user" in session:
        session.clear()
    return redirect("/")


# What makes it safe: the authorization response


def has_right_state():
    """Login CSRF: only the browser that started the login has its state (RFC 6749 section 10.12)."""
    return "state" in session and request.args.get("state") == session["state"]


def check_response():
    """Return the code verifier, once it is certain that this browser asked for this response and the user agreed."""
    if any(len(values) > 1 for values in request.args.listvalues()):  # one value would be checked, the other used
        abort(400, "The response contains a parameter twice.")
    if not has_right_state():  # before anything else: strangers can write an error, too
        abort(400, "This login was not started in this browser, or it is too old. Please try again.")
    session.pop("state")  # single use, or an old response could be replayed (RFC 9700 section 4.7)
    code_verifier = session.pop("code_verifier")
    if "error" in request.args:
        app.logger.warning("%s refused the login: %s", PROVIDER, for_log(description(request.args)))
    check_issuer()
    if "error" in request.args or not request.args.get("code"):
        abort(403, f"You did not allow the login, or {PROVIDER} refused it.")
    return code_verifier


def check_issuer():
    """Mix-up: a response of one provider could be used in a login at another (RFC 9207)."""
    issuer = request.args.get("iss")
    if issuer != ISSUER:
        app.logger.warning("The response came from the issuer %.300r, expected was %.300r", issuer, ISSUER)
        abort(400, "The response came from another provider.")


# What makes it safe: the provider's responses


def check_status(response, **options):
    """Accept status 200 only: the library would read an error page, and follow redirects with secret and token."""
    if response.status_code == 200:
        return
    try:
        reason = description(response.json())
    except (ValueError, RecursionError):  # not JSON, or deeply nested
        reason = response.headers.get("WWW-Authenticate", "").partition(" ")[2]
    problem = f"{response.url} returned status {response.status_code}: {reason or 'without a reason'}"
    raise requests.HTTPError(problem) if response.status_code in (400, 401) else ValueError(problem)


def check_token_type(token):
    """Refuse a token response without token_type: the library would assume Bearer (RFC 6749 section 7.1)."""
    if "token_type" not in token:
        raise ValueError("the token response has no token_type")


def read_user(profile):
    """Return what the page shows, cut to size: a cookie holds 4 KB."""
    subject = profile["sub"]
    if not isinstance(subject, str) or not subject.isascii() or not 0 < len(subject) <= 255:
        raise ValueError("the profile has no usable subject")
    picture = str(profile.get("avatar_url") or "")
    return {
        "sub": subject,
        "name": clean_text(profile.get("name")),
        "email": clean_text(profile.get("email")),
        "picture": picture if picture.isascii() and len(picture) < 700 else "",  # a cut URL is broken
    }


def clean_text(value):
    """Return at most 100 characters, without lone surrogates: JSON can hold them, and a page cannot."""
    return str(value or "")[:100].encode(errors="replace").decode()


def description(fields):
    """Return what the provider says is wrong. Only these two are read, because an error response can hold a token."""
    names = ("error", "error_description") if isinstance(fields, dict) else ()
    return ": ".join(str(fields[name]) for name in names if name in fields)


def for_log(value):
    """Return one line for the log, cut to size and without anything that may be a token or a code."""
    return re.sub(r"Bearer .*|[\w-]{40,}|(?=[\w-]*\d)[\w-]{20,}", "(hidden)", repr(value))[:500]


@contextmanager
def provider_errors():
    """Turn whatever goes wrong with the provider into a page for the user and a line in the log for you."""
    try:
        yield
    except requests.Timeout as error:
        app.logger.warning("%s took too long to respond: %s", PROVIDER, for_log(error))
        abort(504, f"{PROVIDER} took too long to respond.")
    except (OAuth2Error, requests.HTTPError) as error:
        app.logger.warning("%s refused the request: %s", PROVIDER, for_log(error))
        abort(400, f"{PROVIDER} did not accept the code, or does not know this app.")
    except Exception as error:  # a malformed response makes the library raise almost anything
        app.logger.warning("%s sent an unexpected response: %s", PROVIDER, for_log(error))
        abort(502, f"{PROVIDER} sent an unexpected response.")


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


check_port()
check_own_url()
https = URL.startswith("https")
on_this_machine = urlsplit(URL).hostname in ("localhost", "127.0.0.1")
for name in ("AUTHORIZATION_BASE_URL", "TOKEN_URL", "USERINFO_URL"):
    check_provider_url(name, setting(name))


# What makes it safe: cookies, requests, headers, logs

app.config.update(
    SECRET_KEY=secret_key(),
    # Cookies ignore the port, so every app on localhost needs its own name. __Host-: no subdomain can overwrite it.
    SESSION_COOKIE_NAME=("__Host-" if https else "") + "step3_login",
    SESSION_COOKIE_SAMESITE="Lax",  # not sent with a form of another site
    SESSION_COOKIE_SECURE=https,
    PERMANENT_SESSION_LIFETIME=12 * 3600,  # seconds; an older cookie, or a copy of it, is ignored
    TRUSTED_HOSTS=[urlsplit(URL).hostname],  # never build our own URL from the Host header
)
logging.getLogger("requests_oauthlib").setLevel(logging.INFO)  # at DEBUG it logs code, secret and token
origin = URL.removesuffix(":443" if https else ":80")  # as browsers write it


@app.before_request
def check_request():
    """Refuse what the user has not sent with a click, before it changes anything."""
    if on_this_machine and not https and request.host_url != origin + "/":
        abort(400, f"You opened {request.host_url}, but the settings say {URL}/: set PORT or URL, and restart the app.")
    if request.method == "POST" and not is_same_origin():
        abort(403, "This form was sent by another site.")
    if request.endpoint in ("login", "callback"):
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
        "default-src 'none'; img-src http: https:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return response


@app.errorhandler(HTTPException)
def problem(error):
    title = "Login failed" if URL + request.path == REDIRECT_URI else error.name
    sentence = "Use the button Log out." if error.code == 405 and request.path == "/logout" else error.description
    url = URL if isinstance(error, SecurityError) else ""  # opened by another name of this machine
    return render_template_string(PAGE, title=title, problem=sentence, url=url), error.code


if __name__ == "__main__":
    app.run(host="localhost", port=int(PORT))
