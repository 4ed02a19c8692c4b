"""Flask-Dance with threads: what it keeps on the blueprint for all requests is kept for one request here.

Flask handles each request in a thread of its own. On the blueprint, which all threads share, Flask-Dance 7.1.0 keeps
the session that sends the requests, with the access token in it, and the parameters of PKCE. While one user's callback
runs, another user's request finds that session there, and gets the first user's profile: a race condition.

The library's issues about it, at https://github.com/singingwolfboy/flask-dance/issues/: 163 ("Wrong session usage or
possible security issue", 2018) and 205 ("Multithreading support", 2019), both closed, and 430 ("@cached_property on
blueprint.session.token causing session leak?", open since January 2024). In 7.1.0 the session is still shared.
"""

from flask import g
from flask_dance.consumer import OAuth2ConsumerBlueprint


def request_scoped(name, make):
    """Return a property that is made when a request first reads it, and ends with that request (in `flask.g`)."""

    def read(blueprint):
        key = f"{blueprint.name}_{name}"
        if key not in g:
            setattr(g, key, make(blueprint))
        return g.get(key)

    # The library assigns {} when it starts, and deletes its session after each request: neither concerns flask.g.
    return property(read, lambda blueprint, value: None, lambda blueprint: None)


class BlueprintPerRequest(OAuth2ConsumerBlueprint):
    """The library's blueprint, without the three attributes that one request could read from another."""

    session = request_scoped("session", OAuth2ConsumerBlueprint.session.fget)
    authorization_url_params = request_scoped("authorization_url_params", lambda blueprint: {})  # the code challenge
    token_url_params = request_scoped("token_url_params", lambda blueprint: {})  # the code verifier
