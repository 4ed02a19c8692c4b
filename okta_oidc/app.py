"""Article 4: OpenID Connect with Flask-OIDC, at Okta, which keeps the accounts and signs who somebody is.

New since github_dance: a signed ID token with all its checks, sign-up and log-out at the provider, an API with a key.
"""

import logging
import os
import secrets
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client import OAuthError
from cachelib import FileSystemCache
from cachelib.serializers import JSONSerializer
from dotenv import load_dotenv
from flask import Flask, abort, g, redirect, render_template, request, session, url_for
from flask_bootstrap import Bootstrap5
from flask_oidc import OpenIDConnect
from flask_session import Session
from urllib3.exceptions import ReadTimeoutError
from werkzeug.exceptions import HTTPException

logging.getLogger("authlib").setLevel(logging.INFO)  # its DEBUG lines hold the verifier
here = Path(__file__).parent
load_dotenv(here / ".env") or load_dotenv(here / ".env.example")


def setting(name):
    return os.environ.get(name) or sys.exit(f"{name} is missing: set it in .env, as .env.example shows.")


OKTA_ORG_URL = setting("OKTA_ORG_URL")
OKTA_CLIENT_ID = setting("OKTA_CLIENT_ID")
OKTA_CLIENT_SECRET = setting("OKTA_CLIENT_SECRET")
OKTA_AUTH_TOKEN = setting("OKTA_AUTH_TOKEN")
OKTA_ISSUER = os.environ.get("OKTA_ISSUER") or f"{OKTA_ORG_URL}/oauth2/default"

PORT = int(os.environ.get("PORT", 5000))
URL = os.environ.get("URL") or f"http://localhost:{PORT}"
LONGEST_REPLY = 1_000_000  # bytes
on_this_machine = urlsplit(URL).hostname in ("localhost", "127.0.0.1")


class SessionFiles(FileSystemCache):
    serializer = JSONSerializer()  # not pickle, the default: who writes a pickle into the folder runs code in the app


folder = here / "flask_session"
folder.mkdir(mode=0o700, exist_ok=True)  # the files say who is logged in: for the app's own user alone

app = Flask(__name__)
app.config.update(
    OIDC_CLIENT_SECRETS={
        "web": {
            "client_id": OKTA_CLIENT_ID,
            "client_secret": OKTA_CLIENT_SECRET,
            "auth_uri": f"{OKTA_ISSUER}/v1/authorize",
            "token_uri": f"{OKTA_ISSUER}/v1/token",
            "issuer": OKTA_ISSUER,
            "userinfo_uri": f"{OKTA_ISSUER}/v1/userinfo",
            "redirect_uris": [f"{URL}/oidc/callback"],
        }
    },
    OIDC_SCOPES="openid email profile",
    OIDC_OVERWRITE_REDIRECT_URI=f"{URL}/oidc/callback",
    OIDC_SERVER_METADATA_URL=None,  # the library would believe whatever it finds there: discover() looks first
    # Signs nothing here, since the cookie is a random number; what you add to the app may need it.
    SECRET_KEY=os.environ.get("SECRET_KEY") or (secrets.token_hex() if on_this_machine else setting("SECRET_KEY")),
    # All apps on localhost share their cookies, whatever the port. __Host-: no neighbour of our host can set this one.
    SESSION_COOKIE_NAME=("__Host-" if URL.startswith("https") else "") + "okta_oidc",
    SESSION_COOKIE_SAMESITE="Lax",  # another site's page cannot post our log-out form
    SESSION_COOKIE_SECURE=URL.startswith("https"),
    # Sessions on the server: the tokens are too long for a cookie, and a log out takes them away from every copy.
    SESSION_TYPE="cachelib",
    SESSION_CACHELIB=SessionFiles(str(folder), threshold=1000),  # above it the oldest go
    SESSION_PERMANENT=False,
    PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
    SESSION_REFRESH_EACH_REQUEST=False,  # a request that ends after a log out would write the session back
    TRUSTED_HOSTS=[urlsplit(URL).hostname],  # our address is ours to say, not the Host header's
    BOOTSTRAP_SERVE_LOCAL=True,
)
Session(app)
Bootstrap5(app)


def read_reply(reply, **options):
    # Runs when the headers of any reply are there. timeout= is for each read alone, so the whole has an end here.
    end, body = time.monotonic() + 5, b""
    while piece := reply.raw.read1(LONGEST_REPLY, decode_content=True):
        body += piece
        if len(body) > LONGEST_REPLY:
            raise ValueError("a reply that does not end")
        if time.monotonic() > end:
            raise requests.Timeout("a reply that comes byte by byte")
    reply.raw = BytesIO(body)
    # The library reads a reply whatever its status: an error page with a token in it would log somebody in. And a
    # redirect, which it would follow, takes code, secret or token to an address that nobody has checked.
    if reply.status_code == 400:
        raise OAuthError(description=reply.text[:200])
    if reply.status_code != 200:
        raise requests.HTTPError(f"status {reply.status_code}")


class OktaConnect(OpenIDConnect):
    """Flask-OIDC, with our answer to two questions: does this login still hold, and where does a login begin?"""

    def check_token_expiry(self):  # runs before each request
        token = session.get("oidc_auth_token")
        if token and token["expires_at"] <= time.time() and request.endpoint != "logout":
            session.clear()  # a new login begins where one is needed

    def redirect_to_auth_server(self, destination=None, customstate=None):  # what require_login does with strangers
        with okta_may_fail():
            discover()
            redirect_uri = app.config["OIDC_OVERWRITE_REDIRECT_URI"]
            # nonce: the ID token repeats it, or was made for another login (OpenID Connect Core section 15.5.2).
            asked = okta.create_authorization_url(redirect_uri, nonce=secrets.token_urlsafe())
        # The page to come back to is that of this request, never a parameter: that could name any site.
        page = request.url.removeprefix(request.host_url) if request.method == "GET" else ""
        session["asked"] = {**asked, "redirect_uri": redirect_uri, "page": page}  # with state, nonce and code_verifier
        return redirect(asked["url"])


oidc = OktaConnect(app, prefix="/oidc")
okta = oidc.oauth.oidc  # Authlib's client, on which Flask-OIDC stands; it asks with requests
okta.client_kwargs.update(
    code_challenge_method="S256",  # PKCE: a stolen code is no use without the verifier in our session (RFC 7636)
    default_timeout=5,
    trust_env=False,  # or a password in ~/.netrc would go out, in place of our Authorization header
    hooks={"response": [read_reply]},
)


@app.before_request
def before_request():
    # The library's own pages: a log out by GET, an answer that skips our checks, a login with a `next` from outside.
    if request.blueprint == "oidc_auth" or request.endpoint == "legacy_oidc_callback":
        abort(404)
    g.user = session.get("user")


@app.get("/")
def index():
    return render_template("index.html")


@app.get("/dashboard")
@oidc.require_login
def dashboard():
    return render_template("dashboard.html")


@app.get("/login")
@oidc.require_login
def login():
    return redirect(url_for("dashboard"))


def callback():
    if "user" in session and "asked" not in session:  # the Back button, a bookmark, a restored tab: no login to finish
        return redirect("/")
    if any(len(values) > 1 for values in request.args.listvalues()):  # one of them checked, the other used
        abort(400, "This answer says something twice.")
    if "asked" not in session or request.args.get("state") != session["asked"]["state"]:
        abort(400, "This answer does not belong to a login that began in this browser.")
    asked = session.pop("asked")  # good once, or an old answer could be sent again
    with okta_may_fail():
        discover()
        promised = "authorization_response_iss_parameter_supported" in okta.server_metadata
        if request.args.get("iss", None if promised else OKTA_ISSUER) != OKTA_ISSUER:  # another provider's (RFC 9207)
            abort(400, "This answer comes from another provider.")
        if "error" in request.args or not request.args.get("code"):
            abort(403, "You did not allow the login, or Okta refused it.")
        token = fetch_token(request.args["code"], asked)
        user_id = check_id_token(token, asked["nonce"])
        check_profile(token, user_id)
        user = fetch_user(user_id)
    session.clear()
    # Kept for the log out. The access token has done its work, and what is not kept cannot be stolen.
    session["oidc_auth_token"] = {"id_token": token["id_token"], "expires_at": token["expires_at"]}
    session["user"] = user
    # A new session id: whoever knew the old one, or planted it in this browser, would now be logged in too.
    app.session_interface.regenerate(session)
    return redirect(f"{URL}/{asked['page']}")


app.add_url_rule("/oidc/callback", view_func=callback)  # the article's path; the library's own is /oidc/authorize


@app.post("/logout")
def logout():
    token = session.get("oidc_auth_token")
    # A form on another site comes here without the cookie. Clearing what is empty would delete it all the same.
    if not token:
        return redirect("/")
    session.clear()  # what is empty is also removed from the server; first here, then there
    with okta_may_fail():
        discover()
        # RP-Initiated Logout section 2. A state goes along, and nothing here depends on what comes back.
        goodbye = okta.create_logout_url(post_logout_redirect_uri=f"{URL}/", id_token_hint=token["id_token"])
    return redirect(goodbye["url"])


@app.errorhandler(HTTPException)
def problem(error):
    title = "Login failed" if request.endpoint in ("callback", "login", "dashboard") else error.name
    sentence = "Use the button Log out." if error.code == 405 else error.description
    return render_template("problem.html", title=title, sentence=sentence, url=URL), error.code


@app.after_request
def keep_private(response):
    response.headers["Cache-Control"] = "no-store"  # after a log out the back button shows nothing
    response.headers["Referrer-Policy"] = "no-referrer"  # the code in our address goes to no other site
    return response


@contextmanager
def okta_may_fail():
    try:
        yield
    except HTTPException:  # a page of our own
        raise
    except (requests.Timeout, ReadTimeoutError):
        abort(504, "Okta took too long to answer.")
    except OAuthError as error:
        app.logger.warning("Okta refused: %r", error)
        abort(400, "Okta did not accept the code, or does not know this app.")
    except Exception as error:  # the library meets a malformed reply with many kinds of exception
        app.logger.warning("Okta's reply is of no use: %r", error)
        okta.server_metadata.pop("jwks", None)  # perhaps a key has changed: the next login fetches them anew
        abort(502, "Okta gave an answer that this app cannot use.")


def discover():
    if "token_endpoint" in okta.server_metadata:  # fetched before
        return
    document = okta.get(f"{OKTA_ISSUER}/.well-known/openid-configuration", withhold_token=True).json()
    if document["issuer"] != OKTA_ISSUER:  # OpenID Connect Discovery section 4.3
        raise ValueError("a discovery document of another issuer")
    names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint")
    metadata = {name: document[name] for name in names}  # and nothing else: the library takes each member as an option
    if not all(address.startswith(f"{OKTA_ISSUER}/") for address in metadata.values()):
        raise ValueError("an endpoint at another host would get our secret")
    if document.get("authorization_response_iss_parameter_supported"):
        metadata["authorization_response_iss_parameter_supported"] = True
    # Ours to say, not the document's, which could allow `none` (RFC 8725 section 3.1).
    metadata["id_token_signing_alg_values_supported"] = ["RS256"]
    okta.server_metadata = metadata


def fetch_token(code, asked):
    token = okta.fetch_access_token(asked["redirect_uri"], code=code, code_verifier=asked["code_verifier"])
    token["expires_at"] = token.get("expires_at") or time.time() + 3600
    if not isinstance(token["access_token"], str) or str(token.get("token_type")).lower() != "bearer":
        raise ValueError("a token that this app cannot send (RFC 6749 section 7.1)")
    if token["expires_at"] <= time.time():
        raise ValueError("a login that has ended would begin anew, and so for ever")
    return token


def check_id_token(token, nonce):
    # The library sees to signature, iss, exp, nonce and at_hash. The rest of OpenID Connect Core section 3.1.3.7:
    claims = okta.parse_id_token(token, nonce, {"iss": {"value": OKTA_ISSUER}}, leeway=60)
    if claims is None:
        raise ValueError("no ID token, and the profile alone is signed by nobody")
    if claims["aud"] not in (OKTA_CLIENT_ID, [OKTA_CLIENT_ID]):
        raise ValueError("an ID token for another app")
    if abs(time.time() - claims["iat"]) > 600:
        raise ValueError("an ID token of another time")
    if not claims.get("at_hash", True):  # an empty one is not compared
        raise ValueError("an ID token for another access token")
    if not isinstance(claims["sub"], str) or not claims["sub"].isascii() or not 0 < len(claims["sub"]) <= 255:
        raise ValueError("an ID token about nobody")
    return claims["sub"]


def check_profile(token, user_id):
    # The access token alone: the library would refresh what ends within a minute, and look at nothing that comes.
    profile = okta.userinfo(token={"access_token": token["access_token"]})
    if profile.get("sub") != user_id:
        raise ValueError("a profile of somebody else (OpenID Connect Core section 5.3.2)")


def fetch_user(user_id):
    if not user_id.isalnum():  # signed, and a path all the same: it may not lead to another part of the API
        raise ValueError("an id that is none of Okta's")
    address = f"{OKTA_ORG_URL}/api/v1/users/{user_id}"
    user = okta.get(address, withhold_token=True, headers={"Authorization": f"SSWS {OKTA_AUTH_TOKEN}"}).json()
    if user["id"] != user_id:
        raise ValueError("another user than we asked for")
    names = {name: str(user["profile"].get(name) or "")[:100] for name in ("firstName", "lastName", "email")}
    # JSON has half characters, which no page can show.
    return {"id": user_id, "profile": {name: text.encode(errors="replace").decode() for name, text in names.items()}}


if __name__ == "__main__":
    app.run(host="localhost", port=PORT)
