"""Step 2: register the app at a provider, and keep the credentials that it gets.

New since step 1: five settings from the environment, and a home page that says which of them are there.
"""

import os
import re
import sys
from pathlib import Path

from dotenv import load_dotenv
from flask import Flask, render_template_string

here = Path(__file__).parent
try:  # one file, never both: practice values must not fill the gaps between real ones
    load_dotenv(here / (".env" if (here / ".env").exists() else ".env.example"), encoding="utf-8-sig")
except (OSError, ValueError):
    sys.exit(".env cannot be read: save it as plain text in UTF-8.")


def optional(name):
    return os.environ.get(name, "").strip()  # an empty setting is the same as a missing one


def setting(name):
    return optional(name)  # the page says if it is missing; from step 3 on, the app stops


CLIENT_ID = setting("CLIENT_ID")
CLIENT_SECRET = setting("CLIENT_SECRET")
AUTHORIZATION_BASE_URL = setting("AUTHORIZATION_BASE_URL")
TOKEN_URL = setting("TOKEN_URL")
USERINFO_URL = setting("USERINFO_URL")

PORT = optional("PORT") or "5000"

app = Flask(__name__)

PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<main>
<h1>{{ title }}</h1>
{% if problem %}
<p>{{ problem }}</p>
<p><a href="/">Home</a></p>
{% else %}
<p><a href="/login">Log in</a></p>
<ul style="overflow-wrap: anywhere">
{% for name, value in settings.items() %}<li>{{ name }}: {{ value or "missing" }}</li>{% endfor %}
</ul>
<p>You get id and secret in the <a href="{{ console }}">developer console</a>.</p>
{% endif %}
</main>
</html>"""


# The login


@app.get("/")
def home():
    # A secret is never shown, not even to its owner.
    settings = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": "set" if CLIENT_SECRET else ""}
    settings |= {"AUTHORIZATION_BASE_URL": AUTHORIZATION_BASE_URL, "TOKEN_URL": TOKEN_URL, "USERINFO_URL": USERINFO_URL}
    console = AUTHORIZATION_BASE_URL.rpartition("/oauth2/")[0] + "/developer"
    return render_template_string(PAGE, title="Step 2: credentials", settings=settings, console=console)


@app.get("/login")
def login():
    return render_template_string(PAGE, title="Not yet", problem="Step 3 brings this page to life.")


# What makes it safe: settings


def check_port():
    """Stop the app with a sentence if PORT cannot be used."""
    if not re.fullmatch("[1-9][0-9]{0,4}", PORT) or int(PORT) > 65535:
        sys.exit(f"PORT is {PORT!r}: write a number from 1 to 65535, such as 5000.")


check_port()


# What makes it safe: headers


@app.after_request
def keep_private(response):
    response.headers["Cache-Control"] = "no-store"  # the browser keeps no copy, also not for the Back button
    response.headers["Referrer-Policy"] = "no-referrer"  # other sites do not see our URLs, and a code in them
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Cross-site scripting: no script runs. Clickjacking: no other site shows our pages in a frame.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return response


if __name__ == "__main__":
    app.run(host="localhost", port=int(PORT))
