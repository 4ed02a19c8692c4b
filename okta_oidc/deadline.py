"""One deadline for a whole response, which requests does not have: its `timeout` starts again with each byte.

A provider that sends a header, a chunk or a `100 Continue` each second would keep a login, and a thread of this app,
for hours. Here all reads of a response share five seconds.
"""

import io
import time
from http.client import HTTPResponse

from requests.adapters import HTTPAdapter

DEADLINE = 5  # seconds


class DeadlineReader(io.RawIOBase):
    """The connection as http.client reads it; each read waits only for what is left of the time."""

    def __init__(self, sock):
        self.sock, self.raw = sock, sock.makefile("rb", buffering=0)
        self.end = time.monotonic() + DEADLINE

    def readable(self):
        return True

    def readinto(self, buffer):
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the response took too long")
        self.sock.settimeout(left)
        return self.raw.readinto(buffer)

    def close(self):
        self.raw.close()
        super().close()


class DeadlineResponse(HTTPResponse):
    def __init__(self, sock, *args, **options):
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(DeadlineReader(sock))


class DeadlineAdapter(HTTPAdapter):
    """Mounted on a requests.Session, it applies the deadline to all responses, those of a proxy included."""

    def get_connection_with_tls_context(self, *args, **options):
        pool = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = type("DeadlineConnection", (pool.ConnectionCls,), {"response_class": DeadlineResponse})
        return pool
