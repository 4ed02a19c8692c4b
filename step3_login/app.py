"""Step 3: the whole dance, with requests-oauthlib.

New since step 2: /login sends the visitor to the provider, /callback takes them back in, /logout lets them go.
"""

import logging
import os
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

import requests
from dotenv import load_dotenv
from flask import Flask, abort, redirect, render_template_string, request, session
from oauthlib.oauth2 import OAuth2Error, WebApplicationClient
from requests_oauthlib import OAuth2Session
from werkzeug.exceptions import HTTPException

here = Path(__file__).parent
load_dotenv(here / ".env") or load_dotenv(here / ".env.example")
logging.getLogger("requests_oauthlib").setLevel(logging.INFO)  # its DEBUG lines hold code, secret and token


def setting(name):
    return os.environ.get(name) or sys.exit(f"{name} is missing: set it in .env, as .env.example shows.")


CLIENT_ID = setting("CLIENT_ID")
CLIENT_SECRET = setting("CLIENT_SECRET")
AUTHORIZATION_BASE_URL = setting("AUTHORIZATION_BASE_URL")
TOKEN_URL = setting("TOKEN_URL")
USERINFO_URL = setting("USERINFO_URL")
ISSUER = os.environ.get("ISSUER")  # for a provider that sends iss; SimpleLogin does not

PORT = int(os.environ.get("PORT", 5000))
URL = os.environ.get("URL") or f"http://localhost:{PORT}"
REDIRECT_URI = URL + "/callback"
on_this_machine = urlsplit(URL).hostname in ("localhost", "127.0.0.1")
if os.environ.get("OAUTHLIB_INSECURE_TRANSPORT") and not (
    on_this_machine or urlsplit(TOKEN_URL).hostname in ("localhost", "127.0.0.1")
):  # code and secret would go out for all to read
    sys.exit("OAUTHLIB_INSECURE_TRANSPORT is for practice on this machine: leave it empty in .env.")

app = Flask(__name__)
app.config.update(
    # Signs the session cookie: whoever knows it can be anybody. So it is not in the code, and random for practice.
    SECRET_KEY=os.environ.get("SECRET_KEY") or (secrets.token_hex() if on_this_machine else setting("SECRET_KEY")),
    # All apps on localhost share their cookies, whatever the port. __Host-: no neighbour of our host can set this one.
    SESSION_COOKIE_NAME=("__Host-" if URL.startswith("https") else "") + "step3_login",
    SESSION_COOKIE_SAMESITE="Lax",  # another site's page cannot post our log-out form
    SESSION_COOKIE_SECURE=URL.startswith("https"),
    PERMANENT_SESSION_LIFETIME=12 * 3600,  # seconds; what is older is not read, and neither is a copy of it
    TRUSTED_HOSTS=[urlsplit(URL).hostname],  # our address is ours to say, not the Host header's
)

PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<main>
<h1>{{ title }}</h1>
{% if problem %}
<p>{{ problem }}</p>
<p><a href="{{ url }}/">Try again</a></p>
{% elif user %}
<p>Logged in as {{ user.name or user.email or user.sub }}</p>
<p>E-mail: {{ user.email or "not given" }}</p>
{% if user.avatar_url.startswith(("https://", "http://")) %}<img src="{{ user.avatar_url }}" alt="Avatar">{% endif %}
<form method="post" action="/logout"><button>Log out</button></form>
{% else %}
<p><a href="/login">Log in with SimpleLogin</a></p>
{% endif %}
</main>
</html>"""


@app.get("/")
def home():
    title = "User information" if "user" in session else "Step 3: the whole dance"
    return render_template_string(PAGE, title=title, user=session.get("user"))


@app.get("/login")
def login():
    client = WebApplicationClient(CLIENT_ID)
    # PKCE: the provider gets the hash now and the secret with the code, so a stolen code is no use (RFC 7636).
    code_verifier = client.create_code_verifier(64)
    code_challenge = client.create_code_challenge(code_verifier, "S256")
    oauth = OAuth2Session(client=client, redirect_uri=REDIRECT_URI)
    # state: comes back with the answer and shows that this browser asked for it (RFC 6749 section 10.12).
    address, state = oauth.authorization_url(
        AUTHORIZATION_BASE_URL, code_challenge=code_challenge, code_challenge_method="S256"
    )
    session["state"], session["code_verifier"] = state, code_verifier
    return redirect(address)


@app.get("/callback")
def callback():
    if "user" in session and "state" not in session:  # the Back button, a bookmark, a restored tab: no login to finish
        return redirect("/")
    if any(len(values) > 1 for values in request.args.listvalues()):  # one of them checked, the other used
        abort(400, "This answer says something twice.")
    if "state" not in session or request.args.get("state") != session["state"]:
        abort(400, "This answer does not belong to a login that began in this browser.")
    session.pop("state")  # good once, or an old answer could be sent again
    code_verifier = session.pop("code_verifier")
    if request.args.get("iss") != ISSUER:  # another provider's answer (RFC 9207)
        abort(400, "This answer comes from another provider.")
    if "error" in request.args or "code" not in request.args:
        abort(403, "You did not allow the login, or SimpleLogin refused it.")

    oauth = OAuth2Session(CLIENT_ID, redirect_uri=REDIRECT_URI)
    oauth.hooks["response"].append(check_status)
    try:
        oauth.fetch_token(
            TOKEN_URL,
            code=request.args["code"],
            code_verifier=code_verifier,
            client_secret=CLIENT_SECRET,
            include_client_id=True,  # id and secret go in the body, where every character survives
            timeout=5,
        )
        if "token_type" not in oauth.token:  # how to use it; the library would guess (RFC 6749 section 7.1)
            raise ValueError("a token of no type")
        profile = oauth.get(USERINFO_URL, timeout=5).json()
        subject = profile["sub"]
        if not isinstance(subject, str) or not subject.isascii() or not 0 < len(subject) <= 255:
            raise ValueError("a profile without a subject is nobody's")
    except requests.Timeout:
        abort(504, "SimpleLogin took too long to answer.")
    except OAuth2Error as error:
        app.logger.warning("SimpleLogin refused: %r", error)
        abort(400, "SimpleLogin did not accept the code, or does not know this app.")
    except Exception as error:  # the library meets a malformed reply with many kinds of exception
        app.logger.warning("SimpleLogin's reply is of no use: %r", error)
        abort(502, "SimpleLogin gave an answer that this app cannot use.")

    session.clear()
    # Only what the page shows, and short: a cookie holds 4 KB. JSON has half characters, which no page can show.
    text = {key: str(profile.get(key) or "")[:100] for key in ("name", "email")}
    session["user"] = {key: value.encode(errors="replace").decode() for key, value in text.items()}
    session["user"]["sub"] = subject
    picture = str(profile.get("avatar_url") or "")
    # Half an address is none.
    session["user"]["avatar_url"] = picture if picture.isascii() and len(picture) < 700 else ""
    return redirect("/")


def check_status(reply, **options):
    # The library reads a reply whatever its status: an error page with a profile in it would log somebody in.
    # And it follows redirects: they would take code, secret or token to another address.
    if reply.status_code == 400:
        raise OAuth2Error(reply.text[:200])
    if reply.status_code != 200:
        raise ValueError(f"status {reply.status_code}")


@app.post("/logout")
def logout():
    # A form on another site comes here without the cookie. Clearing what is empty would delete it all the same.
    if "user" in session:
        session.clear()
    return redirect("/")


@app.errorhandler(HTTPException)
def problem(error):
    title = "Login failed" if request.path == "/callback" else error.name
    sentence = "Use the button Log out." if error.code == 405 else error.description
    return render_template_string(PAGE, title=title, problem=sentence, url=URL), error.code


@app.after_request
def keep_private(response):
    response.headers["Cache-Control"] = "no-store"  # after a log out the back button shows nothing
    response.headers["Referrer-Policy"] = "no-referrer"  # the code in our address goes to no other site
    return response


if __name__ == "__main__":
    app.run(host="localhost", port=PORT)
