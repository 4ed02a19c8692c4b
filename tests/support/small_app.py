"""A login in a style of its own, for the tests of `check`. Run it with a port, the provider's URL, and what is special.

    python tests/support/small_app.py 5000 http://localhost:9000 "other words"

Its session is on the server. It lacks many protections; the tests choose the rows and lines that they look at.
"""

import base64
import hashlib
import os
import re
import secrets
import sys
from urllib.parse import urlencode

import requests
from flask import Flask, abort, redirect, request

PORT, PROVIDER, *SPECIAL = sys.argv[1:]
URL = f"{'https' if 'https' in SPECIAL else 'http'}://localhost:{PORT}"
OTHER_WORDS = "<title>Sorry</title><p>That went wrong.</p>"
USUAL_WORDS = '<title>Login failed</title><p>Sorry.</p><a href="/login">Try again</a>'

app = Flask(__name__)
sessions = {}  # by the value of the cookie


@app.get("/")
def home():
    user = sessions.get(request.cookies.get("small_app"), {}).get("user")
    if "e-mail" in SPECIAL:
        shown = '<a href="/login"><svg></svg> Sign in with <b>SimpleLogin</b></a>'
        if user:
            shown = (
                f'<p>Hello, {user["email"]}!</p><form method="post" action="/logout"><button>Sign out</button></form>'
            )
        return f"<title>Small</title>{shown}"
    if user is None and "hidden login" in SPECIAL:
        return '<title>Small</title><a href="/enter">Members</a>'
    if user is None:
        return '<title>Small</title><a href="/login">Log in with SimpleLogin</a>'
    log_out = '<form method="post" action="/logout"><button>Log out</button></form>'
    return f"<title>Small</title>Logged in as {user['name']}{log_out}"


@app.get("/enter")
@app.get("/login")
def login():
    id, verifier, state = secrets.token_urlsafe(32), secrets.token_urlsafe(48), secrets.token_urlsafe(32)
    sessions[id] = {"verifier": verifier, "state": state}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {"response_type": "code", "client_id": CREDENTIALS["client_id"], "redirect_uri": f"{URL}/callback"}
    query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    if "no state" not in SPECIAL:
        query["state"] = state
    return with_session(redirect(f"{PROVIDER}/simplelogin/oauth2/authorize?{urlencode(query)}"), id)


@app.get("/callback")
def callback():
    session = sessions.pop(request.cookies.get("small_app"), {})  # a wrong response ends the login in progress
    if "no login" in SPECIAL or "code" not in request.args:
        abort(400)
    expected = request.args.get("state") if "any state" in SPECIAL else session.get("state", "")
    if "no state" not in SPECIAL and (not expected or request.args.get("state") != expected):
        abort(400)
    form = {"grant_type": "authorization_code", "code": request.args["code"], "redirect_uri": f"{URL}/callback"}
    form |= {"code_verifier": session.get("verifier", ""), **CREDENTIALS}
    response = requests.post(f"{PROVIDER}/simplelogin/oauth2/token", form, timeout=5)
    try:
        headers = {"Authorization": f"Bearer {response.json()['access_token']}"}
    except (ValueError, KeyError, TypeError):
        if "ends" in SPECIAL:
            os._exit(3)
        abort(400)
    profile = requests.get(f"{PROVIDER}/simplelogin/oauth2/userinfo", headers=headers, timeout=5).json()
    id = secrets.token_urlsafe(32)
    sessions[id] = {"user": profile}
    return with_session(redirect("/"), id)


@app.post("/logout")
def logout():
    sessions.pop(request.cookies.get("small_app"), None)
    return redirect("/")


@app.errorhandler(400)
def failed(error):
    return (OTHER_WORDS if "other words" in SPECIAL else USUAL_WORDS), 400


def with_session(response, id):
    """Set the session cookie."""
    response.set_cookie("small_app", id, httponly=True, samesite="Lax")
    return response


def register():
    """Register this app at the provider, and return its credentials."""
    form = {"name": "Small app", "redirect_uris": f"{URL}/callback"}
    page = requests.post(f"{PROVIDER}/simplelogin/developer", form, timeout=5).text
    return dict(zip(("client_id", "client_secret"), re.findall('readonly value="([^"]+)"', page), strict=True))


if __name__ == "__main__":
    CREDENTIALS = register()
    app.run(port=int(PORT), threaded=True, ssl_context="adhoc" if "https" in SPECIAL else None)
