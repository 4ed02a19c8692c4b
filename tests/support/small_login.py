"""A login of one page, as other developers write it, served over HTTP by `small_login`, one at a time.

It can differ from the apps of this repository wherever an app may: how it refuses, redirects and shows the user, and
which message it reads. `OPTIONS` has what can be chosen; some values are flaws.
"""

import base64
import hashlib
import json
import secrets
import threading
from contextlib import contextmanager
from urllib.parse import quote, unquote, urlencode

import requests
from flask import Flask, abort, make_response, redirect, render_template_string, request, session
from werkzeug.debug import DebuggedApplication
from werkzeug.serving import WSGIRequestHandler, make_server

OPTIONS = {
    "reads": "profile",  # or "id_token", or "both"
    "refuses": "page",  # a page with status 400; or "page with status 200", "home page", "login page", "new login"
    "wrong_state": "keeps the login",  # or "ends the login"
    "checks_state": True,
    "sends_state": True,
    "sends_nonce": True,
    "sends_pkce": True,
    "redirect_status": 302,
    "returns_to": "/",
    "page": "plain",  # or "rich", with scripts, events and other markup of its own
    "escapes": True,
    "headers": True,  # Referrer-Policy and Cache-Control
    "checks_status": True,  # of the provider's responses
    "keeps_first_name": False,
    "accounts": False,  # one for each subject, or "e-mail", one for each verified e-mail address or subject
    "catches": True,  # errors of the provider
    "error_page": "",  # "Werkzeug", with its debugger, or the text of the page of an error of the app's own
    "max_url": 60_000,
    "max_cookies": 60_000,  # characters of the Cookie header
    "cookies_for_state": False,  # each login that is begun has a cookie of its own
    "key": "2f7c9e1b5a8d4c6f0e3b",
    "cookie": "Flask",  # or "plain", "base64"
    "logout": "POST",  # or "GET"
    "flags": "HttpOnly; SameSite=Lax; Path=/",  # of the cookie with the state
    "login_flags": "HttpOnly; SameSite=Lax; Path=/",  # of the cookie that is not Flask's
}
PAGES = {
    "plain": """<title>Small</title>
{% if user %}<p>Logged in as {{ user }}</p>
<form method="post" action="/logout"><button>Log out</button></form>{% endif %}
{% if text %}<p>{{ text }}</p>{% endif %}<a href="/login">Log in with Google</a>""",
    "rich": """<title>Rich</title><script>var a = 1;</script>
<script src="/own.js"></script><body onload="start()"><h1>
  Seven times seven is 49, and a <b>debugger</b> finds it.
</h1><iframe src="/frame"></iframe><a href="javascript:void(0)" onclick="start()">Menu</a>
{% if user %}<p>Logged in as {{ user }}</p>
<form method="post" action="/logout"><button>Log out</button></form>{% endif %}
{% if text %}<p>{{ text }}</p>{% endif %}<a href="/login">Log in with Google</a></body>""",
}
POLL_INTERVAL = 0.02  # seconds until the server notices that it has to stop
CLIENT = {"client_id": "fake-session-guard", "client_secret": "fake-secret-of-session-guard"}

app = Flask(__name__)
options = dict(OPTIONS)
provider = url = ""
people: dict[str, dict[str, str]] = {}  # what is stored about the user of each account


def page(text="", status=200):
    """Return the page of this app, with the user or a text on it."""
    template = PAGES[options["page"]]
    if not options["escapes"]:
        template = template.replace("{{ user }}", "{{ user | safe }}").replace("{{ text }}", "{{ text | safe }}")
    return render_template_string(template, user=shown_name(), text=text), status


def current():
    """Return the key of the user's account, or what the cookie says about the user."""
    if options["cookie"] == "Flask":
        return session.get("user")
    value = unquote(request.cookies.get("user", ""))
    return json.loads(base64.b64decode(value)) if value and options["cookie"] == "base64" else value


def shown_name():
    """Return the name of the user who is logged in, or None."""
    user = current()
    return people.get(user, {}).get("name") if options["accounts"] else user


@app.get("/")
def home():
    """Show who is logged in."""
    return page(request.args.get("text", ""))


@app.get("/login")
def login():
    """Redirect to the provider."""
    if request.args.get("page") == "yes":
        return page("Please log in.")
    return begin()


def begin():
    """Begin a login."""
    session["verifier"] = secrets.token_urlsafe(48)
    session["state"], session["nonce"] = secrets.token_urlsafe(), secrets.token_urlsafe()
    digest = hashlib.sha256(session["verifier"].encode()).digest()
    sent = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": f"{url}/oauth/callback"}
    sent |= {"scope": "openid email profile"}
    sent |= {"state": session["state"]} if options["sends_state"] else {}
    sent |= {"nonce": session["nonce"]} if options["sends_nonce"] else {}
    if options["sends_pkce"]:
        sent["code_challenge"] = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        sent["code_challenge_method"] = "S256"
    response = redirect(f"{provider}/google/o/oauth2/v2/auth?{urlencode(sent)}")
    if options["cookies_for_state"]:
        response.set_cookie(f"state-{session['state']}", "begun", samesite="Lax", httponly=True)
    return response


def refuse(text="Login failed"):
    """Refuse a login, in the way of this app."""
    ways = {
        "page": lambda: page(text, 400),
        "page with status 200": lambda: page(text),
        "home page": lambda: redirect(f"/?{urlencode({'text': text})}"),
        "login page": lambda: redirect("/login?page=yes"),
        "new login": begin,
    }
    return ways[options["refuses"]]()


@app.get("/oauth/callback")
def callback():
    """Finish a login."""
    if options["sends_state"] and options["checks_state"]:
        state = session.pop("state", None) if options["wrong_state"] == "ends the login" else session.get("state")
        if state is None or request.args.get("state") != state:
            return refuse()
    session.pop("state", None)
    if "error" in request.args or not request.args.get("code"):
        return refuse(f"The provider says {request.args.get('error', 'nothing')}")
    if any(len(values) > 1 for values in request.args.listvalues()):
        return refuse()
    try:
        user = fetch_user(request.args["code"])
    except Exception:
        if not options["catches"]:
            raise
        return refuse("The provider sent an unexpected response")
    response = make_response(redirect(options["returns_to"], options["redirect_status"]))
    for name in ("verifier", "nonce"):
        session.pop(name, None)
    shown = key = user["name"] or user["sub"]
    if options["accounts"]:
        key = f"e-mail {user['email']}" if options["accounts"] == "e-mail" and user["email"] else user["sub"]
        if not (options["keeps_first_name"] and key in people):
            people[key] = {"name": shown}
    if options["cookie"] == "Flask":
        session["user"] = key
    else:
        value = base64.b64encode(json.dumps(key).encode()).decode() if options["cookie"] == "base64" else quote(key)
        response.headers.add("Set-Cookie", f"user={value}; {options['login_flags']}")
    return response


def fetch_user(code):
    """Return the user of this code, as the messages say that this app reads."""
    form = {**CLIENT, "grant_type": "authorization_code", "code": code, "redirect_uri": f"{url}/oauth/callback"}
    form |= {"code_verifier": session.get("verifier", "")} if options["sends_pkce"] else {}
    response = requests.post(f"{provider}/google/token", form, timeout=5, allow_redirects=False)
    sent = checked_json(response)
    if "error" in sent:
        raise ValueError(sent["error"])
    if sent.get("expires_in") is not None:
        int(sent["expires_in"])  # infinity has no integer
    told = {}
    if options["reads"] != "id_token":
        if not isinstance(sent["access_token"], str) or str(sent["token_type"]).lower() != "bearer":
            raise ValueError("an access token that cannot be sent")
        headers = {"Authorization": f"Bearer {sent['access_token']}"}
        told = checked_json(
            requests.get(f"{provider}/google/v1/userinfo", headers=headers, timeout=5, allow_redirects=False)
        )
    if options["reads"] != "profile":
        part = sent["id_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        if options["sends_nonce"] and claims["nonce"] != session["nonce"]:
            raise ValueError("the nonce of another login")
        if told and told["sub"] != claims["sub"]:
            raise ValueError("the profile of another user")
        told = claims
    if not isinstance(told["sub"], str) or not 0 < len(told["sub"]) < 256:
        raise ValueError("no usable subject")
    texts = {name: text if isinstance(text := told.get(name), str) else "" for name in ("name", "email")}
    return {"sub": told["sub"], **{name: text[:100] for name, text in texts.items()}}


def checked_json(response):
    """Return the JSON object of a response."""
    if options["checks_status"] and response.status_code != 200:
        raise ValueError(f"status {response.status_code}")
    found = response.json()
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def log_out():
    """End the session, if the request has its cookie: a response without a session deletes no cookie."""
    response = make_response(redirect("/"))
    if current():
        session.clear()
        response.headers.add("Set-Cookie", "user=; Max-Age=0; Path=/")
    return response


@app.get("/logout")
def logout_by_get():
    """Log out, or say that there is no such page."""
    return log_out() if options["logout"] == "GET" else abort(404)


@app.post("/logout")
def logout():
    """Log out."""
    return log_out()


@app.errorhandler(500)
def show_error(error):
    """Show the page of this app after an error of its own."""
    return options["error_page"] or error, 500


@app.after_request
def add_headers(response):
    """Add the headers against leaks."""
    if options["headers"]:
        response.headers["Referrer-Policy"], response.headers["Cache-Control"] = "Same-Origin", "private, No-Store"
    return response


def as_this_server(environ, start_response):
    """Respond 431 to a URL that is longer than this server reads, and write the attributes of cookies as it does."""
    cookies = environ.get("HTTP_COOKIE", "")
    if len(environ.get("QUERY_STRING", "")) > options["max_url"] or len(cookies) > options["max_cookies"]:
        start_response("431 Request Header Fields Too Large", [("Content-Type", "text/plain")])
        return [b"too long"]

    def start(status, headers, *more):
        return start_response(status, [(name, rewritten(name, value)) for name, value in headers], *more)

    return (debugged if options["error_page"] == "Werkzeug" else app.wsgi_app)(environ, start)


debugged = DebuggedApplication(app.wsgi_app)


def rewritten(name, value):
    """Return a header; that of the session cookie with the attributes of this app."""
    is_session = name == "Set-Cookie" and value.startswith("small=") and "Expires=Thu, 01 Jan 1970" not in value
    return f"{value.partition(';')[0]}; {options['flags']}" if is_session else value


class Quiet(WSGIRequestHandler):
    """Writes no log."""

    def log(self, type, message, *args):
        """Log nothing."""


@contextmanager
def small_login(provider_url, chosen):
    """Serve the app with these options, and yield its URL; only one at a time, since the module has its state."""
    global provider, url
    server = make_server("localhost", 0, as_this_server, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    provider, url = provider_url, f"http://localhost:{server.server_port}"
    people.clear()
    options.clear()
    options.update(OPTIONS | chosen)
    app.config["PROPAGATE_EXCEPTIONS"] = options["error_page"] == "Werkzeug"
    app.config.update(SECRET_KEY=options["key"], SESSION_COOKIE_NAME="small", SESSION_COOKIE_SAMESITE="Lax")
    thread = threading.Thread(target=server.serve_forever, args=[POLL_INTERVAL], daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
