"""A provider that only records: each request, and one JSON object as the response to all of them."""

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote_plus


@contextmanager
def echo_provider(make_response):
    """Run the provider, and yield it with its `url` and the texts of the requests that it has `received`.

    A request's text has its path, its body, and id and secret of its Authorization header. `make_response` takes the
    provider's URL and returns the JSON object.
    """
    received = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
            if scheme == "Basic":
                credentials = base64.b64decode(credentials).decode()
            received.append(unquote_plus(f"{self.path} {body} {credentials}"))
            sent = json.dumps(make_response(server.url)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = respond

        def log_message(self, *args):
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url, server.received = f"http://127.0.0.1:{server.server_port}", received
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
