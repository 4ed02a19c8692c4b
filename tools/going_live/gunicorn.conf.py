"""How gunicorn runs an app. Copied beside an app.py it is found by itself: the command is `gunicorn app:app`."""

from gunicorn.glogging import Logger

bind = "unix:gunicorn.sock"  # where nginx looks for the app; no port, so nobody comes in past nginx
workers = 2  # processes: one for each core, and one can be replaced while the other answers
worker_class = "gthread"
threads = 8  # in each: somebody waits for a slow provider, up to five seconds a request, and others go on
graceful_timeout = 20  # seconds for a login that is under way when the workers are replaced

accesslog = "-"
# The path, %(U)s, alone. The usual format has the line of the request, %(r)s, and code and state in it.
access_log_format = "%(p)s %(m)s %(U)s %(s)s %(L)s"
control_socket_disable = True  # its place is the same for all apps of a user: one gunicorn would take it from another


class WithoutQueries(Logger):
    def exception(self, message, *values, **options):
        """Log an error without the query of the address that it happened at."""
        values = [value.partition("?")[0] if isinstance(value, str) else value for value in values]
        super().exception(message, *values, **options)


logger_class = WithoutQueries
