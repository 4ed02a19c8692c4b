"""Article 5: a guard before every page of a blueprint, and sessions that are kept on the server.

New since raw_requests: a page requires the login, the cookie is only a number, and settings alone change the provider.
"""

from urllib.parse import urlsplit

from flask import Flask, abort, redirect, render_template, request, session
from flask_session import Session
from home import blueprint as home
from oauth import blueprint as oauth
from redis import RedisError
from sessions import SESSION
from settings import OAUTH, PORT, SECRET_KEY, URL, https, on_this_machine, origin
from werkzeug.exceptions import HTTPException, SecurityError, ServiceUnavailable

app = Flask(__name__)
app.config.update(SESSION, SECRET_KEY=SECRET_KEY)
app.config["TRUSTED_HOSTS"] = [urlsplit(URL).hostname]  # never build our own URL from the Host header
Session(app)
app.register_blueprint(home)
app.register_blueprint(oauth)


@app.get("/")
def index():
    return render_template("index.html", user=session.get("user"), provider=OAUTH["PROVIDER_NAME"])


@app.post("/logout")  # not GET: an image on another site could send that
def logout():
    if session:
        session.clear()  # an empty session is also removed from the server
    return redirect("/")


# What makes it safe: requests and headers


@app.before_request
def check_request():
    """Refuse a request to another URL than ours, and a form of another site, before it changes anything."""
    if on_this_machine and not https and request.host_url != origin + "/":
        abort(400, f"You opened {request.host_url}, but the settings say {URL}/: set PORT or URL, and restart the app.")
    if request.method == "POST" and not is_same_origin():
        abort(403, "This form was sent by another site.")


def is_same_origin():
    """CSRF: SameSite allows other ports of this host and sibling subdomains (OWASP CSRF Prevention)."""
    if "Sec-Fetch-Site" in request.headers:
        return request.headers["Sec-Fetch-Site"] == "same-origin"
    return request.headers.get("Origin", "null") in ("null", origin)  # null: ours, with Referrer-Policy no-referrer


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


@app.errorhandler(HTTPException)
def problem(error):
    if isinstance(getattr(error, "original_exception", None), OSError | RedisError):
        error = ServiceUnavailable("This app cannot reach its sessions at the moment. Please try again later.")
    title = "Login failed" if request.path == "/oauth/callback" else error.name
    sentence = "Use the button Log out." if error.code == 405 and request.path == "/logout" else error.description
    url = URL if isinstance(error, SecurityError) else ""  # opened by another name of this machine
    return render_template("problem.html", title=title, sentence=sentence, url=url), error.code


if __name__ == "__main__":
    app.run(host="localhost", port=int(PORT))
