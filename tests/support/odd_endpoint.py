"""An HTTP endpoint that sends raw bytes: malformed and slow responses, for the tests of timeouts and limits."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DRIPPED = {  # the pieces, and the pause between two of them
    "a body": ([HEAD, *[b" "] * 30], 1.0),
    "a body, a byte every four seconds": ([HEAD, *[b" "] * 9], 4.0),
    "headers": ([b"HTTP/1.1 200 OK\r\n", *[b"X-More: 1\r\n"] * 30], 1.0),
    "one header": ([b"HTTP/1.1 200 OK\r\nX-More: ", *[b"x"] * 30], 1.0),
    "a status line": ([b"HTTP/1.1 200 O", *[b"K"] * 30], 1.0),
    "100 Continue": ([b"HTTP/1.1 100 Continue\r\n\r\n"] * 30, 1.0),
    "100 Continue without a pause": ([b"HTTP/1.1 100 Continue\r\n\r\n" * 100] * 1_000_000, 0.0),
    "chunks": ([CHUNKED, *[b"1\r\n \r\n"] * 30], 1.0),
    "a chunk extension": ([CHUNKED + b"2;x=", *[b"x"] * 30], 1.0),
    "trailers": ([CHUNKED + b"2\r\n{}\r\n0\r\n", *[b"X-More: 1\r\n"] * 30], 1.0),
}


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


@contextmanager
def dripping_endpoint(kinds):
    """Run an endpoint that sends each of these kinds, a connection each and all at the same time, and yield its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def drip(pieces, pause):
        with suppress(OSError), listener.accept()[0] as connection:
            connection.recv(65_536)
            for piece in pieces:
                connection.sendall(piece)
                if stopped.wait(pause):
                    break

    with ThreadPoolExecutor(len(kinds)) as threads:
        for pieces, pause in kinds.values():
            threads.submit(drip, pieces, pause)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopped.set()
            listener.shutdown(socket.SHUT_RDWR)  # ends what still waits for a connection
            listener.close()
