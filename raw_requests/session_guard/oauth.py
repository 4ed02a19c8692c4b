"""The login: check_session sends people to the provider, the callback takes them back in.

Each request of the login is written out by hand, so this file is the protocol.
"""

import base64
import hashlib
import json
import secrets
import time
from urllib.parse import quote_plus, urlencode

import requests
from flask import Blueprint, abort, current_app, redirect, request, session
from settings import OAUTH, URL
from urllib3.exceptions import HTTPError, ReadTimeoutError

PROVIDER = OAUTH["PROVIDER_NAME"]
LONGEST_REPLY = 1_000_000  # bytes

blueprint = Blueprint("oauth", __name__, url_prefix="/oauth")


def check_session():
    if session.get("user"):
        return None
    # state: comes back with the answer and shows that this browser asked for it (RFC 6749 section 10.12).
    session["state"] = secrets.token_urlsafe(32)
    # PKCE: the provider gets the hash now and the secret with the code, so a stolen code is no use (RFC 7636).
    session["code_verifier"] = secrets.token_urlsafe(48)
    # Where to go afterwards is the address of this request, never a parameter: that could name any site.
    session["next"] = request.url.removeprefix(request.host_url) if request.method == "GET" else ""
    digest = hashlib.sha256(session["code_verifier"].encode()).digest()
    query = {
        "response_type": "code",
        "client_id": OAUTH["CLIENT_ID"],
        "redirect_uri": OAUTH["REDIRECT_URL"],
        "scope": OAUTH["SCOPE"],
        "prompt": OAUTH["PROMPT"],
        "state": session["state"],
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    return redirect(f"{OAUTH['AUTHORIZE_URL']}?{urlencode({name: value for name, value in query.items() if value})}")


@blueprint.get("/callback")
def callback():
    if "user" in session and "state" not in session:  # the Back button, a bookmark, a restored tab: no login to finish
        return redirect("/")
    if any(len(values) > 1 for values in request.args.listvalues()):  # one reader takes the first, another the last
        abort(400, "This answer says something twice.")  # RFC 6749 section 3.1
    if "state" not in session or request.args.get("state") != session["state"]:
        abort(400, "This answer does not belong to a login that began in this browser.")
    session.pop("state")  # good once, or an old answer could be sent again
    code_verifier, next_page = session.pop("code_verifier"), session.pop("next")
    if request.args.get("iss") != OAUTH["ISSUER"]:  # another provider's answer (RFC 9207)
        abort(400, "This answer comes from another provider.")
    if "error" in request.args or not request.args.get("code"):
        abort(403, f"You did not allow the login, or {PROVIDER} refused it.")

    user = fetch_user(request.args["code"], code_verifier)
    session.clear()
    session["user"] = user
    # A new session id: whoever knew the old one, or planted it in this browser, would now be logged in too.
    current_app.session_interface.regenerate(session)
    return redirect(f"{URL}/{next_page}")


def fetch_user(code, code_verifier):
    try:
        profile = ask("GET", OAUTH["USER_URL"], headers={"Authorization": f"Bearer {fetch_token(code, code_verifier)}"})
        return read_user(profile)
    except (requests.Timeout, ReadTimeoutError):
        abort(504, f"{PROVIDER} took too long to answer.")
    except (requests.RequestException, HTTPError, ValueError, RecursionError) as error:  # the last: a nest of brackets
        current_app.logger.warning("%s's reply is of no use: %r", PROVIDER, error)
        abort(502, f"{PROVIDER} gave an answer that this app cannot use.")


def fetch_token(code, code_verifier):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": OAUTH["REDIRECT_URL"],  # the same as before, or it is refused (RFC 6749 section 4.1.3)
        "code_verifier": code_verifier,
    }
    client = {"client_id": OAUTH["CLIENT_ID"], "client_secret": OAUTH["CLIENT_SECRET"]}
    if OAUTH["TOKEN_AUTH"].lower() == "basic":  # encoded, since a colon joins them (RFC 6749 section 2.3.1)
        reply = ask("POST", OAUTH["TOKEN_URL"], data=form, auth=tuple(map(quote_plus, client.values())))
    else:
        reply = ask("POST", OAUTH["TOKEN_URL"], data={**form, **client})
    token = reply.get("access_token")
    if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
        raise ValueError("a token reply without a token that fits into a header")
    if str(reply.get("token_type")).lower() != "bearer":  # RFC 6749 section 7.1: of no use to who knows no other type
        raise ValueError("a token of a type that this app does not know")
    return token


def ask(method, url, auth=lambda request: request, headers=None, data=None):
    # auth is never None: requests would look into ~/.netrc and put a password from there in place of our token.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
    end, body = time.monotonic() + 5, b""
    # No redirects: they would take code, secret or token to another address.
    with requests.request(
        method, url, auth=auth, headers=headers, data=data, timeout=5, allow_redirects=False, stream=True
    ) as reply:
        while piece := reply.raw.read1(LONGEST_REPLY):
            body += piece
            if len(body) > LONGEST_REPLY:
                raise ValueError("a reply that does not end")
            if time.monotonic() > end:  # timeout= is for each read alone: one byte a second could go on for hours
                raise requests.Timeout
    answer = json.loads(body)
    if isinstance(answer, dict) and "error" in answer:  # RFC 6749 section 5.2; GitHub's comes with status 200
        current_app.logger.warning("%s refused: %.200r", PROVIDER, answer["error"])
        abort(400, f"{PROVIDER} did not accept the code, or does not know this app.")
    if reply.status_code != 200 or not isinstance(answer, dict):  # an error page may well have a profile in it
        raise ValueError(f"status {reply.status_code} and a {type(answer).__name__}")
    return answer


def read_user(profile):
    subject = find(profile, OAUTH["USER_ID_FIELD"])
    if type(subject) not in (str, int) or not subject or len(str(subject).encode()) > 255:
        raise ValueError("a profile without a subject is nobody's")
    username = find(profile, OAUTH["USERNAME_FIELD"])
    user = {"id": subject, "username": username, "name": profile.get("name"), "email": profile.get("email")}
    # Short, and without what no page can show: half a character, as JSON allows, breaks every page that has it.
    return {key: str(value or "").encode(errors="replace").decode()[:250] for key, value in user.items()}


def find(profile, path):
    for name in path.split("."):
        profile = profile.get(name) if isinstance(profile, dict) else None
    return profile
