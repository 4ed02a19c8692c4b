"""Sessions on the server, in files or in Redis: they hold only users who are logged in.

SESSION is for Flask and Flask-Session.
"""

import sys
from datetime import timedelta

from cachelib import FileSystemCache
from cachelib.serializers import JSONSerializer
from redis import Redis
from settings import here, https, optional

FOLDER = here / "flask_session"


class SessionFiles(FileSystemCache):
    serializer = JSONSerializer()  # not pickle, the default: anyone who can write a pickle here can run code in the app

    def set(self, *args, **options):
        # CacheLib continues when it cannot write, and then a user who has logged in is not logged in.
        if not super().set(*args, **options):
            raise OSError("the session could not be written")
        return True


def private_folder(name):
    """Return a folder for the app's own user only: others on this machine must not read who is logged in."""
    for folder in (FOLDER, FOLDER / name):
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)  # it may be there since an older version
    return FOLDER / name


def connect_redis():
    """Return a client for REDIS_URL, or None without that setting. It connects with the first session."""
    try:
        return Redis.from_url(optional("REDIS_URL"), socket_timeout=5) if optional("REDIS_URL") else None
    except ValueError:  # no error text: it can hold the password
        sys.exit("REDIS_URL cannot be used: write redis://localhost:6379/0, or leave it empty for files.")


redis = connect_redis()
SESSION = {
    # Cookies ignore the port, so every app on localhost needs its own name. __Host-: no subdomain can overwrite it.
    "SESSION_COOKIE_NAME": ("__Host-" if https else "") + "session_guard",
    "SESSION_COOKIE_SAMESITE": "Lax",  # not sent with a form of another site
    "SESSION_COOKIE_SECURE": https,
    "SESSION_ID_LENGTH": 32,  # bytes: an id that cannot be guessed
    "SESSION_KEY_PREFIX": "session_guard:",  # or the cookie of another app with the same Redis would be valid here
    "SESSION_PERMANENT": False,  # the cookie expires with the browser,
    "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),  # and the session on the server after this time
    # Stored only when it changes: else a request that is still running writes back what a log out has just removed.
    "SESSION_REFRESH_EACH_REQUEST": False,
}
if redis is not None:
    SESSION |= {"SESSION_TYPE": "redis", "SESSION_REDIS": redis}
else:
    files = SessionFiles(str(private_folder("sessions")), threshold=1000)  # above it the oldest are removed
    SESSION |= {"SESSION_TYPE": "cachelib", "SESSION_CACHELIB": files}
