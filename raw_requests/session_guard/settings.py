"""The settings, from the environment alone: SESSION is for Flask and Flask-Session, OAUTH for the login.

As in the article, the rest of the app reads these two and never the environment.
"""

import os
import secrets
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cachelib import FileSystemCache
from cachelib.serializers import JSONSerializer
from dotenv import load_dotenv
from redis import Redis

here = Path(__file__).parent
load_dotenv(here / ".env") or load_dotenv(here / ".env.example")


def setting(name):
    return os.environ.get(name) or sys.exit(f"{name} is missing: set it in .env, as .env.example shows.")


PORT = int(os.environ.get("PORT", 5000))
URL = os.environ.get("URL") or f"http://localhost:{PORT}"
HOST = urlsplit(URL).hostname
# Signs nothing here, since the cookie is a random number; what you add to the app may need it, and then it is secret.
SECRET_KEY = os.environ.get("SECRET_KEY") or (
    secrets.token_hex() if HOST in ("localhost", "127.0.0.1") else setting("SECRET_KEY")
)

OAUTH = {
    "PROVIDER_NAME": os.environ.get("PROVIDER_NAME") or "GitHub",
    "CLIENT_ID": setting("CLIENT_ID"),
    "CLIENT_SECRET": setting("CLIENT_SECRET"),
    "AUTHORIZE_URL": setting("AUTHORIZE_URL"),
    "TOKEN_URL": setting("TOKEN_URL"),
    "USER_URL": setting("USER_URL"),
    "REDIRECT_URL": os.environ.get("REDIRECT_URL") or f"{URL}/oauth/callback",
    "ISSUER": os.environ.get("ISSUER") or None,  # for a provider that sends iss
    "SCOPE": os.environ.get("SCOPE", "user:email"),
    "PROMPT": os.environ.get("PROMPT", ""),
    "USER_ID_FIELD": os.environ.get("USER_ID_FIELD") or "id",
    "USERNAME_FIELD": os.environ.get("USERNAME_FIELD") or "login",
    "TOKEN_AUTH": os.environ.get("TOKEN_AUTH") or "body",
}


class SessionFiles(FileSystemCache):
    serializer = JSONSerializer()  # not pickle, the default: who writes a pickle into the folder runs code in the app

    def set(self, *args, **options):
        # CacheLib goes on when it cannot write, and then no login ever finds its state again.
        if not super().set(*args, **options):
            raise OSError("the session could not be written")
        return True


SESSION = {
    # All apps on localhost share their cookies, whatever the port. __Host-: no neighbour of our host can set this one.
    "SESSION_COOKIE_NAME": ("__Host-" if URL.startswith("https") else "") + "session_guard",
    "SESSION_COOKIE_SAMESITE": "Lax",  # another site's page cannot post our log-out form
    "SESSION_COOKIE_SECURE": URL.startswith("https"),
    "SESSION_ID_LENGTH": 32,  # bytes: nobody guesses one
    "SESSION_KEY_PREFIX": "session_guard:",  # or the cookie of another app with the same Redis would be good here
    "SESSION_PERMANENT": False,  # the cookie ends with the browser,
    "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),  # and the session on the server after this time
    # Stored only when it changes: else a request that is still running writes back what a log out has just removed.
    "SESSION_REFRESH_EACH_REQUEST": False,
}
if os.environ.get("REDIS_URL"):
    SESSION["SESSION_TYPE"] = "redis"
    SESSION["SESSION_REDIS"] = Redis.from_url(os.environ["REDIS_URL"], socket_timeout=5)
else:
    folder = here / "flask_session"
    folder.mkdir(mode=0o700, exist_ok=True)  # the files say who is logged in: for the app's own user alone
    SESSION["SESSION_TYPE"] = "cachelib"
    SESSION["SESSION_CACHELIB"] = SessionFiles(str(folder), threshold=1000)  # above it the oldest go
