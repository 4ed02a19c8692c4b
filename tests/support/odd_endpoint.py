"""An HTTP endpoint that sends raw bytes: malformed and slow responses, for the tests of timeouts and limits."""

import socket
import threading
from contextlib import contextmanager, suppress


@contextmanager
def odd_endpoint(pieces, pause=0.0):
    """Run an endpoint that responds to each request with these pieces of raw HTTP, `pause` seconds apart.

    It counts the requests that it received and the pieces that it sent, and keeps the last request.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    class Endpoint:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        requests = pieces = 0
        request = b""  # the last one

    def respond():
        while not stopped.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    received = connection.recv(65_536)  # empty when the connection only stops the thread
                    Endpoint.requests += bool(received)
                    Endpoint.request = received or Endpoint.request
                    for piece in pieces:
                        connection.sendall(piece)
                        Endpoint.pieces += 1
                        if stopped.wait(pause):
                            break

    thread = threading.Thread(target=respond)
    thread.start()
    try:
        yield Endpoint
    finally:
        stopped.set()
        with suppress(OSError):
            socket.create_connection(listener.getsockname(), 1).close()
        thread.join()
        listener.close()
