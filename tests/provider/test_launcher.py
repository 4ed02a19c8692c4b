"""The launcher and the program: processes that end, a port in use, registered apps after a restart."""

import socket
import subprocess
import sys

import pytest
import requests
from support.dialect_client import SIMPLELOGIN

from fake_provider import free_port, serve
from fake_provider.launcher import stop
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


def is_listening(port):
    """Tell whether a program accepts connections on this port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False
