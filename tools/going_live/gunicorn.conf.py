"""How gunicorn runs an app. Beside app.py it is found by itself: the command is `gunicorn app:app`."""

from gunicorn.glogging import Logger

bind = "unix:gunicorn.sock"  # nginx connects here; without a port, every request has to pass nginx
workers = 2  # processes: one for each core; one serves while the other is replaced
worker_class = "gthread"
threads = 8  # in each: a login may wait five seconds for a slow provider, and other requests go on
graceful_timeout = 20  # seconds for a login that is under way when the workers are replaced

accesslog = "-"
# Only the path, %(U)s. The usual format has the request line, %(r)s, and in it code and state.
access_log_format = "%(p)s %(m)s %(U)s %(s)s %(L)s"
control_socket_disable = True  # all apps of a user would share its path, and one gunicorn would take it from another


class WithoutQueries(Logger):
    def exception(self, message, *values, **options):
        """Log an error without the query of the URL, which has code and state in it."""
        values = [value.partition("?")[0] if isinstance(value, str) else value for value in values]
        super().exception(message, *values, **options)


logger_class = WithoutQueries
