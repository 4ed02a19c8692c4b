"""The baseline of the benchmark: a Flask app that responds to the four requests of a login and checks nothing.

It shows how much of the time is Flask's, the server's and the client's: `python -m tools.bench.baseline SERVER PORT`.
"""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import TYPE_CHECKING

from flask import Flask, jsonify, redirect, request
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

app = Flask(__name__)
PEOPLE = "".join(f'<p><button name="person" value="{n}">Person {n}</button></p>\n' for n in range(7))
PAGE = f'<!doctype html><title>Who are you?</title><form method="post">\n{PEOPLE}</form>'


@app.get("/authorize")
def authorize() -> str:
    """Show the page with a button for each person."""
    return PAGE


@app.post("/authorize")
def choose() -> Response:
    """Set a cookie for the person, and redirect to the app with a code."""
    response = redirect(f"{request.args['redirect_uri']}?code=1&state={request.args['state']}", 303)
    response.set_cookie("person", request.form["person"])
    return response


@app.post("/token")
def token() -> Response:
    """Issue an access token for any code."""
    return jsonify(access_token=request.form["code"], token_type="Bearer")  # noqa: S106


@app.post("/signed-token")
def signed_token() -> Response:
    """Issue an ID token with it, as an OpenID provider has to."""
    from joserfc import jwt

    now = int(time.time())
    claims = {
        "iss": "baseline",
        "sub": "1",
        "aud": "bench",
        "iat": now,
        "exp": now + 3600,
        "nonce": request.form["code"],
    }
    id_token = jwt.encode({"alg": "RS256"}, claims, key(), algorithms=["RS256"])
    return jsonify(access_token=request.form["code"], token_type="Bearer", id_token=id_token)  # noqa: S106


@cache
def key() -> RSAKey:
    """Return the signing key, which is generated once."""
    from joserfc.jwk import RSAKey

    return RSAKey.generate_key(2048)


@app.get("/userinfo")
def userinfo() -> Response:
    """Say that it is always the same person."""
    return jsonify(sub="1", name="Person 1", email="person@example.com", token=request.headers["Authorization"])


def main(server: str, port: int) -> None:
    """Serve it with granian, as the provider is served, or with Flask's own server."""
    if server == "werkzeug":
        app.run(port=port, threaded=True)
        return
    from granian import Granian
    from granian.constants import Interfaces

    Granian(  # the settings of python -m fake_provider
        "tools.bench.baseline:app",
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=64,
        log_enabled=False,
    ).serve()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
