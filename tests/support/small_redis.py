"""The few commands of Redis that an app needs for sessions, for the tests that have to run where no Redis is installed.

It speaks Redis' own protocol, RESP 3, and keeps values in memory without their expiry.
"""

import socketserver
import threading
from contextlib import contextmanager

OK, NOTHING, GREETING = b"+OK\r\n", b"_\r\n", b"%1\r\n$5\r\nproto\r\n:3\r\n"


@contextmanager
def small_redis():
    """Run the server, and yield its URL and the values that it keeps."""
    values, lock = {}, threading.Lock()

    def respond(command, *arguments):
        name = command.upper()
        if name == b"HELLO":
            return GREETING
        if name == b"GET":
            value = values.get(arguments[0])
            return NOTHING if value is None else b"$%d\r\n%s\r\n" % (len(value), value)
        if name == b"SETEX":
            values[arguments[0]] = arguments[2]
        elif name == b"SET":
            if b"NX" in arguments[2:] and arguments[0] in values:
                return NOTHING
            values[arguments[0]] = arguments[1]
        elif name == b"DEL":
            return b":%d\r\n" % sum(values.pop(key, None) is not None for key in arguments)
        return OK if name in (b"SET", b"SETEX", b"CLIENT", b"SELECT") else b"-ERR unknown command\r\n"

    class Connection(socketserver.StreamRequestHandler):
        def handle(self):
            while header := self.rfile.readline():  # *3, then $LENGTH and the bytes of each of the three
                parts = []
                for _ in range(int(header[1:])):
                    length = int(self.rfile.readline()[1:])
                    parts.append(self.rfile.read(length + 2)[:-2])
                with lock:
                    self.wfile.write(respond(*parts))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}/0", values
        finally:
            server.shutdown()
            thread.join()
