"""UNSAFE: a minimal login with Flask-OIDC, like the first example in its documentation."""

import os

from flask import Flask, session
from flask_oidc import OpenIDConnect
from markupsafe import escape

OKTA = os.environ["PROVIDER"] + "/okta/oauth2/default"

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]
client = {"client_id": os.environ["CLIENT_ID"], "client_secret": os.environ["CLIENT_SECRET"], "issuer": OKTA}
app.config["OIDC_CLIENT_SECRETS"] = {"web": client}
app.config["OIDC_SCOPES"] = "openid email profile"
oidc = OpenIDConnect(app)


@app.get("/")
def home():
    if oidc.user_loggedin:
        return f"Logged in as {escape(session['oidc_auth_profile']['name'])}"
    return '<a href="/login">Log in with Okta</a>'


if __name__ == "__main__":
    app.run(host="localhost", port=int(os.environ["PORT"]))
