"""Logins with Google and GitHub, in the style of Authlib's examples for Flask."""

import os

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, render_template, session, url_for

app = Flask(__name__)
app.secret_key = "dev"

oauth = OAuth(app)
oauth.register(
    "google",
    server_metadata_url=os.environ["GOOGLE_METADATA_URL"],
    client_id=os.environ["GOOGLE_CLIENT_ID"],
    client_secret=os.environ["GOOGLE_CLIENT_SECRET"],
    client_kwargs={"scope": "openid email profile", "code_challenge_method": "S256"},
)
oauth.register(
    "github",
    authorize_url=os.environ["GITHUB_URL"] + "/login/oauth/authorize",
    access_token_url=os.environ["GITHUB_URL"] + "/login/oauth/access_token",
    userinfo_endpoint=os.environ["GITHUB_API_URL"] + "/user",
    client_id=os.environ["GITHUB_CLIENT_ID"],
    client_secret=os.environ["GITHUB_CLIENT_SECRET"],
    client_kwargs={"scope": "read:user user:email"},
)


@app.route("/")
def home():
    return render_template("home.html", user=session.get("user"))


@app.route("/login/<name>")
def login(name):
    return oauth.create_client(name).authorize_redirect(url_for("auth", name=name, _external=True))


@app.route("/auth/<name>")
def auth(name):
    client = oauth.create_client(name)
    token = client.authorize_access_token()
    user = token.get("userinfo") or client.userinfo()
    session["user"] = {"name": user["name"], "picture": user.get("picture") or user.get("avatar_url")}
    return redirect("/")


@app.route("/logout")
def logout():
    session.pop("user", None)
    return redirect("/")
