"""UNSAFE: a minimal login with requests-oauthlib, like the web example in its documentation."""

import os

from flask import Flask, redirect, request, session
from markupsafe import escape
from requests_oauthlib import OAuth2Session

CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
GITHUB = os.environ["PROVIDER"] + "/github"

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]


@app.get("/")
def home():
    if "oauth_token" in session:
        github = OAuth2Session(CLIENT_ID, token=session["oauth_token"])
        return f"Logged in as {escape(github.get(f'{GITHUB}/api/user').json()['name'])}"
    return '<a href="/login">Log in with GitHub</a>'


@app.get("/login")
def login():
    github = OAuth2Session(CLIENT_ID)
    authorization_url, state = github.authorization_url(f"{GITHUB}/login/oauth/authorize")
    session["oauth_state"] = state
    return redirect(authorization_url)


@app.get("/callback")
def callback():
    github = OAuth2Session(CLIENT_ID, state=session["oauth_state"])
    token = github.fetch_token(
        f"{GITHUB}/login/oauth/access_token", client_secret=CLIENT_SECRET, authorization_response=request.url
    )
    session["oauth_token"] = token
    return redirect("/")


if __name__ == "__main__":
    app.run(host="localhost", port=int(os.environ["PORT"]))
