"""A login in a style of its own, for the tests of `check`. Run it with a port, the provider's URL and flaws.

    python tests/support/small_app.py 5000 http://localhost:9000 "other words"

Its session is on the server. It lacks many protections; the tests choose the rows and lines that they look at.
"""

import base64
import hashlib
import os
import secrets
import sys
from urllib.parse import urlencode

import requests
from flask import Flask, abort, redirect, request

PORT, PROVIDER, *FLAWS = sys.argv[1:]
URL = f"http://localhost:{PORT}"
CREDENTIALS = {"client_id": "fake-step3-login", "client_secret": "fake-secret-of-step3-login"}
OTHER_WORDS = "<title>Sorry</title><p>That went wrong.</p>"
USUAL_WORDS = '<title>Login failed</title><p>Sorry.</p><a href="/login">Try again</a>'

app = Flask(__name__)
sessions = {}  # by the value of the cookie


@app.get("/")
def home():
    name = sessions.get(request.cookies.get("small_app"), {}).get("name")
    if name is None:
        return '<title>Small</title><a href="/login">Log in with SimpleLogin</a>'
    return (
        f'<title>Small</title>Logged in as {name}<form method="post" action="/logout"><button>Log out</button></form>'
    )


@app.get("/login")
def login():
    id, verifier, state = secrets.token_urlsafe(32), secrets.token_urlsafe(48), secrets.token_urlsafe(32)
    sessions[id] = {"verifier": verifier, "state": state}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {"response_type": "code", "client_id": CREDENTIALS["client_id"], "redirect_uri": f"{URL}/callback"}
    query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    if "no state" not in FLAWS:
        query["state"] = state
    return with_session(redirect(f"{PROVIDER}/simplelogin/oauth2/authorize?{urlencode(query)}"), id)


@app.get("/callback")
def callback():
    session = sessions.pop(request.cookies.get("small_app"), {})  # a wrong response ends the login in progress
    if "no login" in FLAWS or "code" not in request.args:
        abort(400)
    expected = request.args.get("state") if "any state" in FLAWS else session.get("state", "")
    if "no state" not in FLAWS and (not expected or request.args.get("state") != expected):
        abort(400)
    form = {"grant_type": "authorization_code", "code": request.args["code"], "redirect_uri": f"{URL}/callback"}
    form |= {"code_verifier": session.get("verifier", ""), **CREDENTIALS}
    response = requests.post(f"{PROVIDER}/simplelogin/oauth2/token", form, timeout=5)
    try:
        headers = {"Authorization": f"Bearer {response.json()['access_token']}"}
    except (ValueError, KeyError, TypeError):
        if "ends" in FLAWS:
            os._exit(3)
        abort(400)
    profile = requests.get(f"{PROVIDER}/simplelogin/oauth2/userinfo", headers=headers, timeout=5).json()
    id = secrets.token_urlsafe(32)
    sessions[id] = {"name": profile["name"]}
    return with_session(redirect("/"), id)


@app.post("/logout")
def logout():
    sessions.pop(request.cookies.get("small_app"), None)
    return redirect("/")


@app.errorhandler(400)
def failed(error):
    return (OTHER_WORDS if "other words" in FLAWS else USUAL_WORDS), 400


def with_session(response, id):
    """Set the session cookie."""
    response.set_cookie("small_app", id, httponly=True, samesite="Lax")
    return response


if __name__ == "__main__":
    app.run(port=int(PORT), threaded=True)
