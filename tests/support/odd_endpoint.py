"""An endpoint below the level of HTTP: it sends pieces of bytes, as slowly as it is told to."""

import socket
import threading
from contextlib import contextmanager, suppress


@contextmanager
def odd_endpoint(pieces, pause=0.0):
    """Run an endpoint that answers each request with these pieces of raw HTTP, `pause` seconds apart.

    It counts what came and went, and keeps the last request.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    class Endpoint:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        requests = pieces = 0
        request = b""  # the last one

    def answer():
        while not ended.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    received = connection.recv(65_536)  # nothing when it is called to end
                    Endpoint.requests += bool(received)
                    Endpoint.request = received or Endpoint.request
                    for piece in pieces:
                        connection.sendall(piece)
                        Endpoint.pieces += 1
                        if ended.wait(pause):
                            break

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield Endpoint
    finally:
        ended.set()
        with suppress(OSError):
            socket.create_connection(listener.getsockname(), 1).close()
        thread.join()
        listener.close()
