"""Step 1: one page with one link.

Every login with somebody else begins like this: an app, and a place to click.
"""

import os

from flask import Flask, render_template_string

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
{% endif %}
</main>
</html>"""


@app.get("/")
def home():
    return render_template_string(PAGE, title="Step 1: one link")


@app.get("/login")
def login():
    return render_template_string(PAGE, title="Not yet", problem="Step 3 brings this page to life.")


if __name__ == "__main__":
    app.run(host="localhost", port=PORT)
