"""UNSAFE: a minimal login with Flask-Dance, like the first example in its documentation."""

import os

from flask import Flask
from flask_dance.contrib.github import github, make_github_blueprint
from markupsafe import escape

GITHUB = os.environ["PROVIDER"] + "/github"

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]
blueprint = make_github_blueprint(client_id=os.environ["CLIENT_ID"], client_secret=os.environ["CLIENT_SECRET"])
blueprint.authorization_url = f"{GITHUB}/login/oauth/authorize"
blueprint.token_url = f"{GITHUB}/login/oauth/access_token"
blueprint.base_url = f"{GITHUB}/api/"
app.register_blueprint(blueprint, url_prefix="/login")


@app.get("/")
def home():
    if not github.authorized:
        return '<a href="/login/github">Log in with GitHub</a>'
    response = github.get("user")
    assert response.ok
    return f"Logged in as {escape(response.json()['name'])}"


if __name__ == "__main__":
    app.run(host="localhost", port=int(os.environ["PORT"]))
