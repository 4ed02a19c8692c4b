"""The logins in progress of a browser: state, nonce, verifier and requested page, each in a signed cookie of its own.

Not in the session, or anonymous visits would fill the store until users who are logged in have to make room. And not in
one common cookie: five tabs that a browser restores at the same time would overwrite it, and four logins would fail.
"""

import time

from flask import abort, after_this_request, request
from itsdangerous import BadData, URLSafeSerializer
from sessions import MAX_SECONDS, SESSION, use_state
from settings import SECRET_KEY, https

MAX_LOGINS = 5
MAX_PAGE = 700  # characters; browsers and servers limit the size of all cookies together
PREFIX = SESSION["SESSION_COOKIE_NAME"] + "_login_"
FLAGS = {"path": "/", "secure": https, "httponly": True, "samesite": "Lax"}

serializer = URLSafeSerializer(SECRET_KEY, salt="login")  # signed: nobody can add a login, or change its page


def keep_login(response, state, nonce, code_verifier):
    """Keep a login in the browser, with the page that was requested; the oldest of more than five goes."""
    # The URL of this request, never a parameter: that could name any site (open redirect).
    page = request.url.removeprefix(request.host_url) if request.method == "GET" else ""
    login = {
        "state": state,
        "nonce": nonce,
        "code_verifier": code_verifier,
        "page": page if len(page) <= MAX_PAGE else "",
        "started": time.time(),
    }
    for name in names_by_age()[: -(MAX_LOGINS - 1)]:
        response.delete_cookie(name, **FLAGS)
    response.set_cookie(PREFIX + state, serializer.dumps(login), max_age=MAX_SECONDS, **FLAGS)


def names_by_age():
    """Return the names of the browser's login cookies, the oldest first, and before them those that are no use."""
    names = [name for name in request.cookies if name.startswith(PREFIX)]
    return sorted(names, key=lambda name: (read_login(request.cookies[name]) or {"started": 0})["started"])


def read_login(cookie):
    """Return the login that a cookie holds, or None if it is forged or expired."""
    try:
        login = serializer.loads(cookie)
    except BadData:
        return None
    return login if time.time() - login["started"] < MAX_SECONDS else None


def find_login():
    """Return the login of this browser that the response belongs to, or None."""
    state = request.args.get("state", "")
    login = read_login(request.cookies.get(PREFIX + state, ""))
    return login if login and login["state"] == state else None


def take_login():
    """Return the login that the response belongs to, and end it: its state is single use (RFC 9700 section 4.7)."""
    login = find_login()
    after_this_request(lambda response: response.delete_cookie(PREFIX + login["state"], **FLAGS) or response)
    if not use_state(login):  # a kept cookie, or the same callback twice at the same moment
        abort(400, "This login was not started in this browser, or it is too old. Please try again.")
    return login
