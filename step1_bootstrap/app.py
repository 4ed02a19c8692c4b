"""Step 1: one page with one link.

Every login with an account elsewhere begins like this: an app, and a link to click.
"""

import os
import re
import sys

from flask import Flask, render_template_string


def optional(name):
    return os.environ.get(name, "").strip()  # an empty setting is the same as a missing one


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
{% endif %}
</main>
</html>"""


# The login


@app.get("/")
def home():
    return render_template_string(PAGE, title="Step 1: one link")


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
        "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return response


if __name__ == "__main__":
    app.run(host="localhost", port=int(PORT))
