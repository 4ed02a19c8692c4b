"""A forced race: the first two requests that come to an SQL statement wait for each other before they send it."""

import sys
from contextlib import contextmanager

MEETING = """
import os, re, threading
import app
from models import db
from sqlalchemy import event
barrier = threading.Barrier(2, timeout=float(os.environ["MEETING_TIMEOUT"]))
turns = iter(range(2))
def meet(connection, cursor, statement, *_):
    if re.match(os.environ["MEETING_STATEMENT"], statement) and next(turns, None) is not None:
        try:
            barrier.wait()
        except threading.BrokenBarrierError:
            pass
with app.app.app_context():
    event.listen(db.engine, "before_cursor_execute", meet)
app.app.run(host="localhost", port=int(app.PORT))
"""


@contextmanager
def restarted_for_a_meeting(app):
    """Yield a function that restarts the app so that two requests meet before a statement, or go on after the timeout.

    At the end the app is restarted as it was.
    """

    def restart(statement, timeout):
        app.environment.update(MEETING_STATEMENT=statement, MEETING_TIMEOUT=str(timeout))
        app.stop()
        app.start(sys.executable, "-c", MEETING)

    yield restart
    app.stop()
    for name in ("MEETING_STATEMENT", "MEETING_TIMEOUT"):
        app.environment.pop(name, None)
    app.start()
