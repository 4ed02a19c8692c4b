"""Sessions in files on the server: they hold only users who are logged in.

SESSION is for Flask and Flask-Session. On the server, because the tokens are too long for a cookie, and because a log
out has to end the copies of a cookie too.
"""

import shutil
import sys
import time
from datetime import timedelta

from cachelib import FileSystemCache
from cachelib.serializers import JSONSerializer
from settings import here, https

FOLDER = here / "flask_session"
MAX_SECONDS = 3600  # of a login, and so long is its state remembered after it was used


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


def session_files():
    """Return the store of the sessions, or stop the app if it could not keep any."""
    try:
        return SessionFiles(str(private_folder("sessions")), threshold=1000)  # above it the oldest are removed
    except OSError:
        sys.exit(f"{FOLDER} cannot be written: the app keeps its sessions there, so make that folder its own.")


def use_state(login):
    """Record a state as used, and tell whether that was the first time: to make a file is one atomic operation."""
    hour = private_folder("used_states") / str(int(login["started"] // MAX_SECONDS))
    for folder in hour.parent.glob("[0-9]*"):
        if int(folder.name) < time.time() // MAX_SECONDS - 1:  # its logins have expired
            shutil.rmtree(folder, ignore_errors=True)
    try:
        hour.mkdir(exist_ok=True)
        (hour / login["state"]).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


SESSION = {
    # Cookies ignore the port, so every app on localhost needs its own name. __Host-: no subdomain can overwrite it.
    "SESSION_COOKIE_NAME": ("__Host-" if https else "") + "okta_oidc",
    "SESSION_COOKIE_SAMESITE": "Lax",  # not sent with a form of another site
    "SESSION_COOKIE_SECURE": https,
    "SESSION_ID_LENGTH": 32,  # bytes: an id that cannot be guessed
    "SESSION_PERMANENT": False,  # the cookie expires with the browser,
    "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),  # and the session on the server after this time
    # Stored only when it changes: else a request that is still running writes back what a log out has just removed.
    "SESSION_REFRESH_EACH_REQUEST": False,
    "SESSION_TYPE": "cachelib",
    "SESSION_CACHELIB": session_files(),
}
