"""The running instances of an app: the app itself, and two more that are started when an attack first needs them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from dotenv import dotenv_values

from tools.places import ROOT

from .apps import NOT_COPIED, App, prepare
from .checked_app import start
from .relay import Relay

ODD_SECRET = "a:b%c+d é&e=ü\"'"

# The `sitecustomize` of two further instances of an app. The verbose one logs at level DEBUG, and its clock is ahead by
# the seconds in the file "clock" of its folder, so that a case can test expiry without waiting. The other one has
# predictable random numbers. The process that the instances are forked from has no file "clock".
VERBOSE = """
import datetime, logging, pathlib, time
logging.basicConfig(level=logging.DEBUG)
clock = pathlib.Path("clock")
real_time = time.time
def ahead():
    return float(clock.read_text() or 0) if clock.exists() else 0.0
class Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=ahead())
    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)
time.time = lambda: real_time() + ahead()
datetime.datetime = Datetime
"""
PREDICTABLE = """
import random
random.Random.random = lambda self: 0.5
random.Random.getrandbits = lambda self, bits: 0
for name in ("random", "getrandbits", "randbytes", "randint", "randrange", "choice", "choices", "sample", "uniform"):
    setattr(random, name, getattr(random._inst, name))
"""


class Instances:
    """The instances of the app of one folder, all behind one relay. Each is started at its first use."""

    def __init__(self, folder: str, where: Path, relay: Relay, source: Path = ROOT) -> None:
        self.folder = folder
        self.where = where
        self.relay = relay
        self.source = source
        self.version = version(source / folder)
        self._started: dict[str, App] = {}  # by the name of the instance
        self._lock = threading.Lock()

    @property
    def app(self) -> App:
        """The app, as `python app.py` starts it. Raises RuntimeError with its output when it does not start."""
        return self._start("app")

    @property
    def public(self) -> App:
        """The app at https://app.example.com, with odd client secrets and predictable random numbers."""
        return self._start("public", PREDICTABLE)

    @property
    def verbose(self) -> App:
        """The app at level DEBUG, with its clock ahead by the seconds in the file "clock" of its folder."""
        return self._start("verbose", VERBOSE)

    def stop(self) -> None:
        """Stop the instances that have been started."""
        for app in self._started.values():
            app.stop()
        self._started.clear()

    def _start(self, name: str, customize: str = "") -> App:
        with self._lock:
            if name not in self._started:
                app = self._prepare(name, customize)
                try:
                    start(app)
                except BaseException:
                    app.stop()
                    raise
                self._started[name] = app
            return self._started[name]

    def _prepare(self, name: str, customize: str) -> App:
        app = prepare(self.folder, self.relay, self.where / name, source=self.source)
        if name == "public":
            app.environment.update(URL="https://app.example.com", SECRET_KEY="k" * 40)
            secrets = [name for name in dotenv_values(app.home / ".env.example") if name.endswith("_SECRET")]
            app.environment.update(dict.fromkeys(secrets, ODD_SECRET))
        if name == "verbose":
            (app.home / "clock").write_text("0", "utf-8")
        if customize:
            folder = self.where / f"{name}-site"
            folder.mkdir(parents=True)
            (folder / "sitecustomize.py").write_text(customize, "utf-8")
            app.environment["PYTHONPATH"] = str(folder)
        return app


def version(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Return the paths, times and sizes of an app's files: when they differ, a running app is an older one."""
    found: list[tuple[str, int, int]] = []
    for path, folders, files in os.walk(folder):
        ignored = NOT_COPIED(path, [*folders, *files])
        folders[:] = [name for name in folders if name not in ignored]
        for name in files:
            if name not in ignored:
                status = os.stat(os.path.join(path, name))
                found.append((os.path.join(path, name), status.st_mtime_ns, status.st_size))
    return frozenset(found)
