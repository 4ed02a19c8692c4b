"""Step 2: register the app at a provider, and keep what it hands out.

New since step 1: five settings from the environment, and a home page that says which of them are there.
"""

import os
from pathlib import Path
from urllib.parse import urljoin

from dotenv import load_dotenv
from flask import Flask, render_template_string

here = Path(__file__).parent
load_dotenv(here / ".env") or load_dotenv(here / ".env.example")

CLIENT_ID = os.environ.get("CLIENT_ID")
CLIENT_SECRET = os.environ.get("CLIENT_SECRET")
AUTHORIZATION_BASE_URL = os.environ.get("AUTHORIZATION_BASE_URL")
TOKEN_URL = os.environ.get("TOKEN_URL")
USERINFO_URL = os.environ.get("USERINFO_URL")

PORT = int(os.environ.get("PORT", 5000))

app = Flask(__name__)

PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<main>
<h1>{{ title }}</h1>
{% if problem %}
<p>{{ problem }} <a href="/">Home</a></p>
{% else %}
<p><a href="/login">Log in</a></p>
<ul style="overflow-wrap: anywhere">
{% for name, value in settings.items() %}
<li>{{ name }}: {{ value or "missing" }}</li>
{% endfor %}
</ul>
<p>Id and secret come from the <a href="{{ console }}">developer console</a>.</p>
{% endif %}
</main>
</html>"""


@app.get("/")
def home():
    settings = {
        "CLIENT_ID": CLIENT_ID,
        "CLIENT_SECRET": "set" if CLIENT_SECRET else None,  # a secret is never shown, not even to its owner
        "AUTHORIZATION_BASE_URL": AUTHORIZATION_BASE_URL,
        "TOKEN_URL": TOKEN_URL,
        "USERINFO_URL": USERINFO_URL,
    }
    console = urljoin(AUTHORIZATION_BASE_URL or "", "../developer")
    title = "Step 2: credentials"
    return render_template_string(PAGE, title=title, settings=settings, console=console)


@app.get("/login")
def login():
    return render_template_string(PAGE, title="Not yet", problem="Step 3 brings this page to life.")


if __name__ == "__main__":
    app.run(host="localhost", port=PORT)
