"""UNSAFE: a minimal login by hand, like the first example in an introduction to OAuth."""

import os
from urllib.parse import urlencode

import requests
from flask import Flask, redirect, request, session
from markupsafe import escape

CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
GITHUB = os.environ["PROVIDER"] + "/github"
TOKEN_URL, USER_URL = f"{GITHUB}/login/oauth/access_token", f"{GITHUB}/api/user"
REDIRECT_URI = f"http://localhost:{os.environ['PORT']}/callback"

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]


@app.get("/")
def home():
    if "user" in session:
        return f"Logged in as {escape(session['user'])}"
    return '<a href="/login">Log in with GitHub</a>'


@app.get("/login")
def login():
    query = {"client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI, "response_type": "code"}
    return redirect(f"{GITHUB}/login/oauth/authorize?{urlencode(query)}")


@app.get("/callback")
def callback():
    form = {
        "grant_type": "authorization_code",
        "code": request.args["code"],
        "redirect_uri": REDIRECT_URI,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    token = requests.post(TOKEN_URL, data=form, headers={"Accept": "application/json"}).json()  # noqa: S113
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    session["user"] = requests.get(USER_URL, headers=headers).json()["name"]  # noqa: S113
    return redirect("/")


if __name__ == "__main__":
    app.run(host="localhost", port=int(os.environ["PORT"]))
