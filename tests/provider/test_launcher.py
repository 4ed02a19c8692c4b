"""The launcher and the program: processes that end, a port in use, registered apps after a restart."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest
import requests
from support.dialect_client import SIMPLELOGIN

from fake_provider import free_port, serve
from fake_provider.launcher import BLOCK, stop
from tools.check.apps import wait_for
from tools.places import ROOT


def test_serve_leaves_no_process_behind():
    """After `with serve()` no process listens on the port."""
    with serve() as provider:
        port = provider.port
        assert requests.get(provider.url, timeout=5).ok

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 10)  # Windows takes 2 seconds to refuse


def test_refuses_a_port_in_use():
    """The program stops with one sentence that names the port, and with a status other than 0."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "fake_provider", "--port", port],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            timeout=20,
        )

    assert ended.returncode != 0
    assert f"Port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_keeps_registered_apps_after_a_restart(tmp_path):
    """With `--clients` a registered app is still there after the provider was restarted."""
    port = free_port()
    command = [sys.executable, "-m", "fake_provider", "--port", str(port), "--clients", str(tmp_path / "c.json")]
    console = f"http://127.0.0.1:{port}/simplelogin/developer"
    form = {"name": "Mine", "redirect_uris": SIMPLELOGIN.redirect_uri}
    pages = []
    for _ in range(2):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            wait_for(lambda: is_listening(port), "the provider to respond")
            if not pages:
                pages.append(requests.post(console, form, timeout=5).url)
            pages.append(requests.get(pages[0], timeout=5).text)
            stop(process)

    assert pages[1] == pages[2]


SAME_BEGINNING = "import secrets; secrets.randbelow = lambda _: 0"
ASK_FOR_PORTS = "from fake_provider import free_port; print(*[free_port() for _ in range(250)], flush=True); input()"


def test_processes_never_get_the_same_port():
    """Processes that look for free ports at the same time each get their own, also when they need many."""
    command = [sys.executable, "-c", f"{SAME_BEGINNING}; {ASK_FOR_PORTS}"]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        for _ in range(8)
    ]
    ports = [port for process in running for port in set(process.stdout.readline().split())]
    for process in running:
        process.communicate("\n", timeout=20)

    assert len(ports) >= 8 * 150  # programs of this machine may listen at some
    assert len(set(ports)) == len(ports)


def test_a_process_claims_another_block_when_its_ports_are_taken():
    """A process gets a free port also when programs listen at all ports of its block."""
    with ExitStack() as stack:
        for _ in range(BLOCK + 50):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", free_port()))


FORK = """
import os
from fake_provider import free_port
free_port()
child = os.fork()
os.write(1, f"{[free_port() for _ in range(50)]}\\n".encode())  # print() would write in two parts
if child:
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_gets_ports_of_its_own():
    """A forked process does not use the block of its parent."""
    ran = subprocess.run([sys.executable, "-c", FORK], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", timeout=20)
    parent, child = (json.loads(line) for line in ran.stdout.splitlines())

    assert len(set(parent) | set(child)) == 100


def is_listening(port):
    """Tell whether a program accepts connections on this port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False
