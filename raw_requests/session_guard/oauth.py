"""The login: check_session sends users to the provider, the callback logs them in.

Each request of the login is written by hand, so this file is the protocol.
"""

import base64
import hashlib
import json
import re
import secrets
from contextlib import contextmanager
from urllib.parse import quote_plus, urlencode

import requests
from deadline import DeadlineAdapter
from flask import Blueprint, abort, current_app, redirect, request, session
from logins import find_login, keep_login, take_login
from settings import OAUTH, URL
from urllib3.exceptions import ReadTimeoutError

PROVIDER = OAUTH["PROVIDER_NAME"]
MAX_RESPONSE = 1_000_000  # bytes

blueprint = Blueprint("oauth", __name__, url_prefix="/oauth")


# The login


def check_session():
    """Return None for a user who is logged in; anything else is sent in place of the page."""
    if session.get("user"):
        return None
    return check_click() or begin_login()


def begin_login():
    # state: comes back with the response and proves that this browser asked for it (RFC 6749 section 10.12).
    state = secrets.token_urlsafe(32)
    # PKCE: send the hash now and the verifier with the code, so that a stolen code is useless (RFC 7636).
    code_verifier = secrets.token_urlsafe(48)
    response = redirect(authorization_url(state, code_verifier))
    keep_login(response, state, code_verifier)
    return response


def authorization_url(state, code_verifier):
    digest = hashlib.sha256(code_verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": OAUTH["CLIENT_ID"],
        "redirect_uri": OAUTH["REDIRECT_URL"],
        "scope": OAUTH["SCOPE"],
        "prompt": OAUTH["PROMPT"],
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    joint = "&" if "?" in OAUTH["AUTHORIZE_URL"] else "?"  # a query in it has to be kept (RFC 6749 section 3.1)
    return OAUTH["AUTHORIZE_URL"] + joint + urlencode({name: value for name, value in query.items() if value})


@blueprint.get("/callback")
def callback():
    if session.get("user") and not has_right_state():  # the Back button, a bookmark, a restored tab
        return redirect("/")
    login = check_response()
    with provider_errors():
        token = fetch_token(request.args["code"], login["code_verifier"])
        user = read_user(send_request("GET", OAUTH["USER_URL"], headers={"Authorization": f"Bearer {token}"}))
    session.clear()
    session["user"] = user
    # Session fixation: an attacker who knows the old session id, or has planted it here, would be logged in, too.
    current_app.session_interface.regenerate(session)
    return redirect(f"{URL}/{login['page']}")


def fetch_token(code, code_verifier):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": OAUTH["REDIRECT_URL"],  # the same as before, or it is refused (RFC 6749 section 4.1.3)
        "code_verifier": code_verifier,
    }
    client = {"client_id": OAUTH["CLIENT_ID"], "client_secret": OAUTH["CLIENT_SECRET"]}
    if OAUTH["CLIENT_AUTH"] == "basic":  # encoded, because a colon joins the two (RFC 6749 section 2.3.1)
        token = send_request("POST", OAUTH["TOKEN_URL"], data=form, auth=tuple(map(quote_plus, client.values())))
    else:
        token = send_request("POST", OAUTH["TOKEN_URL"], data={**form, **client})
    check_token(token)
    return token["access_token"]


# What makes it safe: the authorization response


def check_click():
    """Refuse what the user has not sent with a click, before it starts a login or uses one up."""
    if request.method == "HEAD":
        abort(405)
    if "prefetch" in request.headers.get("Sec-Purpose", ""):  # the browser guesses which link comes next
        return "", 204
    if request.headers.get("Sec-Fetch-Dest", "document") != "document":  # a picture, a frame or a script of any site
        abort(403, "You are not logged in. Open this page in a tab of its own, and log in there.")


blueprint.before_request(check_click)


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
        current_app.logger.warning("%s refused the login: %s", PROVIDER, for_log(description(request.args)))
    check_issuer()
    if "error" in request.args or not request.args.get("code"):
        abort(403, f"You did not allow the login, or {PROVIDER} refused it.")
    return login


def check_issuer():
    """Mix-up: a response of one provider could be used in a login at another (RFC 9207)."""
    issuer, expected = request.args.get("iss"), OAUTH["ISSUER"]
    if issuer != expected:
        current_app.logger.warning("The response came from the issuer %.300r, expected was %.300r", issuer, expected)
        abort(400, "The response came from another provider.")


# What makes it safe: the provider's responses


def send_request(method, url, auth=lambda prepared: prepared, headers=None, data=None):
    # auth is never None: requests would replace our token by a password from ~/.netrc.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
    with requests.Session() as http:
        http.mount("http://", DeadlineAdapter())
        http.mount("https://", DeadlineAdapter())
        # A redirect would send code, secret or token to another URL.
        response = http.request(
            method, url, auth=auth, headers=headers, data=data, timeout=5, allow_redirects=False, stream=True
        )
        body = response.raw.read(MAX_RESPONSE + 1)
    if len(body) > MAX_RESPONSE:
        raise ValueError(f"{url} sent more than {MAX_RESPONSE} bytes")
    return read_json(response, body)


def read_json(response, body):
    """Accept status 200 without an error only: error pages can hold a profile, and errors can have status 200."""
    try:
        fields = json.loads(body)
        reason = description(fields)
    except (ValueError, RecursionError):  # not JSON, or deeply nested
        fields, reason = None, response.headers.get("WWW-Authenticate", "").partition(" ")[2] or "no JSON"
    has_error = isinstance(fields, dict) and "error" in fields
    if response.status_code == 200 and isinstance(fields, dict) and not has_error:
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


def read_user(profile):
    """Return what the pages show. Without a subject all users would be the same one."""
    subject = find_field(profile, OAUTH["USER_ID_FIELD"])
    if type(subject) not in (str, int) or not subject or len(str(subject).encode()) > 255:
        raise ValueError(f"the profile has no usable subject in {OAUTH['USER_ID_FIELD']}: see USER_ID_FIELD")
    username = find_field(profile, OAUTH["USERNAME_FIELD"])
    user = {"id": subject, "username": username, "name": profile.get("name"), "email": profile.get("email")}
    return {name: clean_text(value) for name, value in user.items()}


def find_field(profile, path):
    for name in path.split("."):
        profile = profile.get(name) if isinstance(profile, dict) else None
    return profile


def clean_text(value):
    """Return at most 250 characters, without lone surrogates: JSON can hold them, and a page cannot."""
    return str(value or "").encode(errors="replace").decode()[:250]


def description(fields):
    """Return what the provider says is wrong. Only these are read, because an error response can hold a token."""
    names = ("error", "error_description", "message") if isinstance(fields, dict) else ()
    return ": ".join(str(fields[name]) for name in names if name in fields)


def for_log(value):
    """Return one line for the log, cut to size and without anything that may be a token or a code."""
    return re.sub(r"Bearer .*|[\w-]{40,}|(?=[\w-]*\d)[\w-]{20,}", "(hidden)", repr(value))[:500]


@contextmanager
def provider_errors():
    """Turn whatever goes wrong with the provider into a page for the user and a line in the log for you."""
    try:
        yield
    except (requests.Timeout, ReadTimeoutError) as error:
        current_app.logger.warning("%s took too long to respond: %s", PROVIDER, for_log(error))
        abort(504, f"{PROVIDER} took too long to respond.")
    except requests.HTTPError as error:
        current_app.logger.warning("%s refused the request: %s", PROVIDER, for_log(error))
        abort(400, f"{PROVIDER} did not accept the code, or does not know this app.")
    except Exception as error:  # a malformed response can lead to almost any exception
        current_app.logger.warning("%s sent an unexpected response: %s", PROVIDER, for_log(error))
        abort(502, f"{PROVIDER} sent an unexpected response.")
