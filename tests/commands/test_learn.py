"""`learn.py` as you run it: real processes, in a copy of the repository with small apps."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tools.apps import app_folders, settings_of_apps
from tools.check.apps import PRACTICE_PROVIDER, App, find_logins, login_id
from tools.check.rows import ROWS
from tools.check.visitor import Visitor
from tools.learn import ports
from tools.learn.command_table import COMMANDS, function_of
from tools.learn.refresh import STEPS
from tools.learn.test import OF_EVERY_APP, own_tests
from tools.places import PYTHON, ROOT

ON_WINDOWS = sys.platform == "win32"
ENDINGS = ["SIGBREAK"] if ON_WINDOWS else ["SIGINT", "SIGTERM", "SIGHUP"]
KEPT = ("requirements.txt", "requirements-dev.txt", ".venv/learn.json")
LEFT_OUT = (".git", ".venv", ".learn", ".env", "__pycache__", ".*_cache", "articles", "notebooks")

# `learn.py` with the Python of this test in place of `.venv`.
WITH_THIS_PYTHON = """
import pathlib, sys
import tools.learn.{command}
tools.learn.{command}.ensure = lambda _: pathlib.Path(sys.executable)
sys.exit(tools.learn.main(sys.argv[1:]))
"""

# As on Windows on ARM, where some packages have no wheel.
RUN_ON_ARM = """
import runpy, sysconfig
sysconfig.get_platform = lambda: "win-arm64"
runpy.run_path("learn.py", run_name="__main__")
"""

# A package that pip could build without another package: its folder has the build backend, which leaves a trace.
BACKEND = """import pathlib, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    pathlib.Path({trace!r}).touch()
    name = "parrot-5.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("parrot-5.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: parrot\\nVersion: 5.0\\n")
        wheel.writestr("parrot-5.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr("parrot-5.0.dist-info/RECORD", "")
    return name
"""
BACKEND_NAMED = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'

RUN_WITH_THIS_PYTHON = """
import pathlib, sys
from tools.apps import find_apps
from tools.learn.run import Supervisor
sys.exit(Supervisor(pathlib.Path(sys.executable), find_apps()).run(with_browser=False))
"""

WHICH_PYTHON = """
To run it by hand, use the Python that `learn.py` has set up: begin each new terminal, in the root folder, with

- Linux and macOS: `source .venv/bin/activate`
- Windows (PowerShell): `$env:PATH = "$PWD\\.venv\\Scripts;$env:PATH"`
- Windows (Command Prompt): `.venv\\Scripts\\activate`
"""

APP = '''"""Shows one page. It is small.

New is nothing.
"""
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/stop":
            print("I have had enough.\\n", flush=True)
            os._exit(3)
        self.send_response(200)
        self.send_header("X-Fake-Provider", "1")
        self.end_headers()
        if self.path == "/environment":
            self.wfile.write(json.dumps(dict(os.environ)).encode())

    def log_message(self, *words):
        pass


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
'''

# As in the real provider: a process that only watches its worker, and the worker that serves.
PROVIDER = """import os, subprocess, sys
here = os.path.dirname(__file__)
port = sys.argv[sys.argv.index("--port") + 1]
sys.exit(subprocess.call([sys.executable, os.path.join(here, "worker.py")], env={**os.environ, "PORT": port}))
"""

# In place of ruff, mypy and pytest: prints its name, and fails when the file FAIL has this name.
TOOL = """import json, os, pathlib, sys, time
tool = pathlib.Path(sys.argv[0]).stem
print(tool, *sys.argv[1:], "was here", flush=True)
pathlib.Path("environment.json").write_text(json.dumps(dict(os.environ)), "utf-8")
if pathlib.Path("WAIT").exists():
    try:
        print("waits", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        sys.exit("stops what its tests have started")
fail = pathlib.Path("FAIL")
sys.exit(fail.exists() and fail.read_text("utf-8") == tool)
"""


class Copy:
    """A folder with a `learn.py`, whose gallery has other ports."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.settings = settings
        self.started: list[subprocess.Popen[str]] = []
        self.provider_port, self.first_port = find_free_ports()
        table = (ROOT / "tools" / "apps.py").read_text("utf-8")
        assert table.count(" = 9000\n") == table.count(" = 5001\n") == 1
        table = table.replace(" = 9000\n", f" = {self.provider_port}\n").replace(" = 5001\n", f" = {self.first_port}\n")
        self.write("tools/apps.py", table)

    def write(self, path: str, text: str) -> None:
        (self.home / path).parent.mkdir(parents=True, exist_ok=True)
        (self.home / path).write_text(text, "utf-8")

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        """Start `python learn.py` with these arguments, and with these settings in its environment."""
        ours = ("PIP_", "PYTHONUTF8", "PYTHONIOENCODING")  # settings of this suite
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        process = subprocess.Popen(
            [sys.executable, *(arguments if "-c" in arguments else ("learn.py", *arguments))],
            cwd=self.home,
            env={**kept, **self.settings, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP if ON_WINDOWS else 0,
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, **settings: str) -> tuple[int, str]:
        """Run `python learn.py` to its end; return its status and its output."""
        process = self.start(*arguments, **settings)
        said = process.communicate(timeout=60)[0]
        return process.returncode, said

    @contextmanager
    def running(self, *arguments: str, **settings: str):
        """The gallery and its apps, running."""
        process = self.start(*arguments, **settings)
        process.said = read_until("Ctrl-C stops", process)
        yield process
        end(process)

    def gallery(self) -> dict[str, dict[str, object]]:
        """The rows of the gallery's file, by folder."""
        rows = json.loads((self.home / ".learn" / "gallery.json").read_text("utf-8"))["apps"]
        return {row["folder"]: row for row in rows}

    def leftovers(self) -> list[str]:
        """Return the ports and the processes that are still in use."""
        used = ports.find_taken([self.provider_port, *(row["port"] for row in self.gallery().values())])
        return [*map(str, used), *self.processes()]

    def processes(self) -> list[str]:
        """Return the command lines of the processes of this copy: each has the path of its Python."""
        if ON_WINDOWS:
            return []
        listed = subprocess.check_output(["ps", "-A", "-o", "args"], encoding="utf-8").splitlines()  # noqa: S607
        return [line for line in listed if str(self.home) in line]

    def end_all(self) -> None:
        """Stop all processes that were started."""
        for process in self.started:
            end(process)
        self.started.clear()


class Tree(Copy):
    """A small copy: three small apps, a small provider, and lock files with packages that the test makes."""

    def __init__(self, home: Path) -> None:
        shutil.copytree(ROOT / "tools", home / "tools", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "learn.py", home / "learn.py")
        self.wheels = home.parent / "wheels"
        self.wheels.mkdir()
        pip = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_NO_INDEX": "1",
            "PIP_RETRIES": "0",
        }
        super().__init__(home, **pip)
        self.write("fake_provider/__main__.py", PROVIDER)
        self.write("fake_provider/worker.py", APP)
        for folder in ("step1_bootstrap", "step2_credentials", "zebra"):
            self.write(f"{folder}/app.py", APP)
        self.lock("requirements.txt", parrot="1.0")
        self.lock("requirements-dev.txt", parrot="1.0", ruff="1.0", mypy="1.0", pytest="1.0")

    def lock(self, file: str, **packages: str) -> None:
        """Write a lock file and its packages; one of them is for another system."""
        rows = [f"{name}=={version} --hash=sha256:{self._pack(name, version)}" for name, version in packages.items()]
        ghost = f"ghost==1.0 ; sys_platform == 'amiga' --hash=sha256:{'0' * 64}"
        self.write(file, "\n".join([*rows, ghost, ""]))

    def lock_source(self, trace: Path) -> None:
        """Write a lock file with one package that has no wheel."""
        files = {
            "PKG-INFO": "Metadata-Version: 2.1\nName: parrot\nVersion: 5.0\n",
            "pyproject.toml": BACKEND_NAMED,
            "backend.py": BACKEND.format(trace=str(trace)),
        }
        source = self.wheels / "parrot-5.0.tar.gz"
        with tarfile.open(source, "w:gz") as package:
            for path, text in files.items():
                about = tarfile.TarInfo(f"parrot-5.0/{path}")
                about.size = len(text.encode())
                package.addfile(about, io.BytesIO(text.encode()))
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        self.write("requirements.txt", f"parrot==5.0 --hash=sha256:{digest}\n")

    def _pack(self, name: str, version: str) -> str:
        wheel = self.wheels / f"{name}-{version}-py3-none-any.whl"
        about = f"{name}-{version}.dist-info"
        files = {
            f"{name}.py": TOOL,
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{about}/RECORD": f"{name}.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n",
        }
        with zipfile.ZipFile(wheel, "w") as package:
            for path, text in files.items():
                package.writestr(zipfile.ZipInfo(path), text)
        return hashlib.sha256(wheel.read_bytes()).hexdigest()


def read_until(words: str, process: subprocess.Popen[str]) -> str:
    """Read the output of a process up to the line with these words."""
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"{words!r} is not in the output: {said}")


def interrupt(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C."""
    process.send_signal(signal.CTRL_BREAK_EVENT if ON_WINDOWS else signal.SIGINT)


def end(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C if the process is running, wait for its end, and return the rest of its output."""
    if process.poll() is None:
        interrupt(process)
    return "" if process.stdout.closed else process.communicate(timeout=60)[0]


def one_sentence(said: str) -> str:
    """Return the output, which has to be one line without a traceback."""
    assert len(said.splitlines()) == 1 and "Traceback" not in said, said
    return said.strip()


def find_old_pythons() -> list[str]:
    """Return the Pythons of this machine that are too old, from PATH and pyenv."""
    names = [shutil.which(f"python{version}") for version in ("2", "2.7", "3.6", "3.8", "3.9", "3.10")]
    pyenv = Path.home().glob(".pyenv/versions/*/bin/python")
    asked = {str(path): _version(str(path)) for path in [*filter(None, names), *pyenv]}
    return [path for path, version in asked.items() if version is not None and version < (3, 11)]


def _version(python: str) -> tuple[int, ...] | None:
    asks = "import sys; sys.stdout.write('%d %d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", asks], capture_output=True, encoding="utf-8", check=False)
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else None  # pyenv's shims may lead nowhere


def find_free_ports() -> tuple[int, int]:
    """Return a free port, and the first of the twelve free ports after it."""
    while True:
        first = random.randrange(20000, 30000)  # noqa: S311 - not a secret
        if not ports.find_taken(list(range(first, first + 13))):
            return first, first + 1


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A tree in which everything is installed, made once for all tests."""
    home = tmp_path_factory.mktemp("learn") / "tree"
    home.mkdir()
    tree = Tree(home)
    status, said = tree.run("test", "anything")
    assert status == 0, said
    yield tree
    tree.end_all()


@pytest.fixture
def tree(installed):
    """A tree in which everything is installed, restored after each test."""
    kept = {path: (installed.home / path).read_bytes() for path in KEPT}
    yield installed
    installed.end_all()
    for path, content in kept.items():
        (installed.home / path).write_bytes(content)


@pytest.fixture
def bare_tree(tmp_path):
    """A tree in which nothing is installed."""
    (tmp_path / "tree").mkdir()
    tree = Tree(tmp_path / "tree")
    yield tree
    tree.end_all()


@pytest.fixture
def silent_registry():
    """A package registry that accepts requests and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server


def registry_settings(server: socket.socket) -> dict[str, str]:
    """Return the settings that let pip use only this registry."""
    url = f"http://127.0.0.1:{server.getsockname()[1]}/index"
    return {"PIP_INDEX_URL": url, "PIP_NO_INDEX": "0", "PIP_FIND_LINKS": ""}


class TestPython:
    def test_old_pythons_can_read_it(self):
        """Without f-strings and annotations every Python parses it, and prints its sentence."""
        parsed = ast.parse((ROOT / "learn.py").read_text("utf-8"), feature_version=(3, 7))

        modern = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.FunctionDef, ast.Starred)
        assert [node for node in ast.walk(parsed) if isinstance(node, modern)] == []

    def test_too_old_is_one_sentence(self):
        """A Python that is too old gets one sentence that names both versions."""
        pretend = "import runpy, sys; sys.version_info = (3, 8, 18); runpy.run_path('learn.py', run_name='__main__')"
        done = subprocess.run([sys.executable, "-c", pretend], cwd=ROOT, capture_output=True, encoding="utf-8")

        assert done.returncode == 1
        assert one_sentence(done.stderr).startswith("Python 3.11 or newer is needed, and this is Python 3.8.18: ")

    def test_real_old_pythons_say_so(self):
        """All old Pythons of this machine print the same sentence."""
        old = find_old_pythons()
        if not old:
            pytest.skip(reason="no Python older than 3.11 is installed")
        done = [subprocess.run([python, "learn.py"], cwd=ROOT, capture_output=True, encoding="utf-8") for python in old]

        assert {one.returncode for one in done} == {1}
        assert all(one_sentence(one.stderr).startswith("Python 3.11 or newer is needed") for one in done)


class TestInstall:
    def test_nothing_is_installed_twice(self, tree):
        """The packages of the tests include those of the apps."""
        with tree.running() as process:
            assert process.said.startswith("Starting")

    def test_a_changed_lock_is_installed(self, tree):
        """A changed lock file is installed first, into the same environment."""
        tree.lock("requirements-dev.txt", parrot="2.0", ruff="1.0", mypy="1.0", pytest="1.0")
        status, said = tree.run("test", "anything")

        assert status == 0 and "Making" not in said
        assert "Installed 4 packages" in said and "installing 1 of 4: parrot" in said

    def test_a_moved_folder_gets_a_new_environment(self, tree, tmp_path):
        """An environment contains its own path, so one that was copied or moved is recreated."""
        shutil.copytree(tree.home, tmp_path / "moved", symlinks=True)
        moved = Copy(tmp_path / "moved").start()
        said = read_until("Making .venv", moved)
        rest = end(moved)

        assert said.startswith("Making .venv") and moved.returncode == 130, said + rest

    def test_without_venv_it_says_so(self, bare_tree, tmp_path):
        """For Debian's Python without python3-venv the sentence names the package."""
        (tmp_path / "ensurepip.py").write_text("raise ImportError", "utf-8")
        status, said = bare_tree.run(PYTHONPATH=str(tmp_path))

        assert status == 1, said
        assert "sudo apt install python3-venv" in one_sentence(said.partition("\n")[2])

    def test_without_network_it_says_so(self, tree):
        """Without a connection to the registry there is one sentence, and not the output of pip."""
        tree.lock("requirements.txt", parrot="3.0")
        with socket.create_server(("127.0.0.1", 0)) as server:
            closed = registry_settings(server)
        status, said = tree.run(**closed)

        assert status == 1, said
        assert one_sentence(said).startswith("The package registry cannot be reached")

    def test_a_foreign_package_is_refused(self, tree):
        """A package whose hash is not the lock file's is not installed."""
        tree.lock("requirements.txt", parrot="3.0")
        (tree.wheels / "parrot-3.0-py3-none-any.whl").write_bytes(b"another")
        status, said = tree.run()

        assert status == 1, said
        assert one_sentence(said.splitlines()[-1]).startswith("A package is not the one that the lock file names")

    def test_nothing_is_built(self, tree, tmp_path):
        """A package without a wheel is refused by name, and its code does not run: a lock file has no build tools."""
        tree.lock_source(tmp_path / "was built")
        status, said = tree.run()

        assert status == 1 and not (tmp_path / "was built").exists()
        assert "has no ready-made parrot for Python 3." in one_sentence(said)

    def test_a_machine_without_wheels_gets_a_sentence_first(self, bare_tree):
        """Where a package has no wheel, one sentence says so before anything is made."""
        bare_tree.lock("requirements.txt", granian="1.0", parrot="1.0")
        status, said = bare_tree.run("-c", RUN_ON_ARM)

        assert status == 1 and not (bare_tree.home / ".venv").exists()
        assert one_sentence(said).startswith("There is no ready-made granian for Windows on ARM: install the 64-bit")

    def test_a_machine_without_some_of_them_needs_no_sentence(self, tree):
        """A package that a machine lacks matters only if it is in the lock file."""
        tree.lock("requirements.txt", parrot="2.0")
        process = tree.start("-c", RUN_ON_ARM)
        said = read_until("Ctrl-C stops", process)

        assert "Installed 1 packages" in said and "no ready-made" not in said

    def test_an_unwritable_folder_is_named(self, bare_tree):
        """A folder that cannot be written is named."""
        bare_tree.write(".learn", "a file where a folder has to be")
        status, said = bare_tree.run()

        assert status == 1, said
        assert one_sentence(said).startswith(f"Nothing can be written in {bare_tree.home}")

    def test_ctrl_c_ends_an_install(self, tree, silent_registry):
        """Ctrl-C during an install stops pip too."""
        tree.lock("requirements.txt", parrot="3.0")
        process = tree.start(**registry_settings(silent_registry))
        with silent_registry.accept()[0]:  # open, so that pip waits for a response
            interrupt(process)
            said = process.communicate(timeout=60)[0]

        assert process.returncode == 130 and one_sentence(said).startswith("Interrupted")
        assert tree.processes() == []

    def test_a_killed_install_starts_again(self, tree, silent_registry):
        """An incomplete environment is recreated."""
        tree.lock("requirements-dev.txt", parrot="4.0", ruff="1.0", mypy="1.0", pytest="1.0")
        process = tree.start("test", "anything", **registry_settings(silent_registry))
        with silent_registry.accept()[0]:
            process.kill()
        silent_registry.close()
        status, said = tree.run("test", "anything")

        assert status == 0, said
        assert "Making .venv" in said and "Installed 4 packages" in said


@pytest.fixture
def as_in_a_terminal():
    """Handle SIGHUP as in a terminal: under nohup, or on some CI, child processes would inherit that it is ignored."""
    if ON_WINDOWS:
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("as_in_a_terminal")
class TestRun:
    def test_every_app_is_shown(self, tree):
        """The gallery's file has the apps of the table in its order, then the others."""
        with tree.running():
            rows = tree.gallery()

        assert list(rows) == ["step1_bootstrap", "step2_credentials", "zebra"]
        assert rows["zebra"] == {
            "folder": "zebra",
            "shows": "Shows one page. It is small.",
            "new": "New is nothing.",
            "port": tree.first_port + 8,
            "url": f"http://localhost:{tree.first_port + 8}/",
            "state": "running",
            "last_words": "",
        }

    def test_a_taken_port_is_named(self, tree):
        """Every taken port is named before anything is started."""
        with (
            socket.create_server(("127.0.0.1", tree.provider_port)),
            socket.create_server(("127.0.0.1", tree.first_port)),
        ):
            status, said = tree.run()

        assert status == 1, said
        assert one_sentence(said).startswith(f"Ports {tree.provider_port} and {tree.first_port} are taken")

    def test_a_second_run_points_to_the_first(self, tree):
        """A second start prints the URL of the running gallery."""
        with tree.running():
            status, said = tree.run()

        assert status == 1, said
        assert f"running already, at http://localhost:{tree.provider_port}/" in one_sentence(said)

    def test_another_folder_points_to_the_first(self, tree, tmp_path):
        """A gallery of another folder is recognised by its response header."""
        shutil.copytree(tree.home, tmp_path / "other", ignore=shutil.ignore_patterns(".venv", ".learn"))
        other = [sys.executable, "-c", WITH_THIS_PYTHON.format(command="run")]
        with tree.running():
            done = subprocess.run(other, cwd=tmp_path / "other", capture_output=True, encoding="utf-8", timeout=60)

        assert done.returncode == 1
        assert f"running already, at http://localhost:{tree.provider_port}/" in one_sentence(done.stderr)

    @pytest.mark.parametrize("name", ENDINGS)
    def test_a_signal_stops_all_of_it(self, tree, name):
        """After Ctrl-C, and after the other signals that may end it, no process runs and no port is in use."""
        with tree.running() as process:
            process.send_signal(signal.CTRL_BREAK_EVENT if ON_WINDOWS else getattr(signal, name))
            said = process.communicate(timeout=60)[0]

        assert process.returncode == 0 and said == "Stopped.\n"
        assert tree.leftovers() == []

    def test_a_second_ctrl_c_changes_nothing(self, tree):
        """A second Ctrl-C prints no traceback and leaves no process."""
        with tree.running() as process:
            interrupt(process)
            interrupt(process)
            said = process.communicate(timeout=60)[0]

        assert process.returncode == 0 and said == "Stopped.\n"
        assert tree.leftovers() == []

    def test_an_app_that_stops_is_shown(self, tree):
        """An app that stops is shown as stopped, with its last line, and the others go on."""
        with tree.running() as process:
            ports.responds(tree.first_port, "/stop")
            said = read_until("step1_bootstrap", process)
            rows = tree.gallery()
            others = ports.responds(tree.first_port + 1)

        assert (rows["step1_bootstrap"]["state"], rows["step1_bootstrap"]["last_words"]) == (
            "stopped",
            "I have had enough.",
        )
        assert "I have had enough." in said and others and rows["zebra"]["state"] == "running"

    def test_an_app_that_never_starts_is_shown(self, tree):
        """An app that cannot start does not delay the others."""
        tree.write("yak/app.py", "raise SystemExit('CLIENT_ID is missing.')")
        with tree.running() as process:
            row = tree.gallery()["yak"]
        shutil.rmtree(tree.home / "yak")

        assert (row["state"], row["last_words"]) == ("stopped", "CLIENT_ID is missing.")
        assert "CLIENT_ID is missing." in process.said

    def test_without_the_provider_all_stops(self, tree):
        """When the provider stops, the apps are stopped too, because no login works."""
        with tree.running() as process:
            ports.responds(tree.provider_port, "/stop")
            said = process.communicate(timeout=60)[0]

        assert process.returncode == 1 and said.startswith("The fake provider has stopped")
        assert tree.leftovers() == []

    def test_real_apps_all_respond(self, tmp_path):
        """The apps of this repository and the provider start together and respond."""
        shutil.copytree(ROOT, tmp_path / "tree", ignore=shutil.ignore_patterns(*LEFT_OUT))
        real = Copy(tmp_path / "tree")
        with real.running("-c", RUN_WITH_THIS_PYTHON):
            rows = real.gallery()

        assert sorted(rows) == app_folders()
        assert {row["state"] for row in rows.values()} == {"running"}


SHELL = {  # variables of a shell that no app may inherit
    "HTTP_PROXY": "http://127.0.0.1:9",  # nothing listens there
    "http_proxy": "http://127.0.0.1:9",
    "NO_PROXY": "intranet.example, .corp.example",
    "CLIENT_ID": "of-another-program",
    "FB_CLIENT_SECRET": "of-another-program",
    "DATABASE_URL": "postgres://production",
    "FLASK_DEBUG": "1",
    "GITHUB_API_URL": "https://api.github.com",  # GitHub's own machines export it
    "ISSUER": "https://elsewhere.example",
    "OKTA_ISSUER": "https://elsewhere.example",
    "PORT": "80",
    "OAUTH_PROMPT": "login",
    "PYTHONPATH": "elsewhere",
    "OAUTH_SCOPE": "everything",
    "SECRET_KEY": "of-another-program",
    "URL": "https://elsewhere.example",
}
PASSED_ON = ("HTTP_PROXY", "http_proxy")


@pytest.mark.usefixtures("as_in_a_terminal")
class TestEnvironment:
    def test_no_setting_of_an_app_comes_from_the_shell(self, tree):
        """An app has only its own settings; `PORT` is that of the gallery."""
        tree.write("step1_bootstrap/.env.example", own_settings())
        with tree.running(**SHELL):
            inside = environment_of(tree.first_port)
        (tree.home / "step1_bootstrap" / ".env.example").unlink()

        same = [name for name, value in SHELL.items() if inside.get(name) == value]
        assert sorted(same) == sorted(PASSED_ON)
        assert inside["PORT"] == str(tree.first_port)

    def test_no_proxy_leads_to_this_machine(self, tree):
        """This machine is added to the hosts without a proxy, in both spellings, for every child process."""
        with tree.running(**SHELL):
            inside = [environment_of(tree.first_port), environment_of(tree.provider_port)]
        tree.run("test", "anything", **SHELL)
        inside.append(json.loads((tree.home / "environment.json").read_text("utf-8")))

        expected = {"intranet.example", ".corp.example", "localhost", "127.0.0.1", "::1"}
        assert [set(one[name].split(",")) for one in inside for name in ("NO_PROXY", "no_proxy")] == [expected] * 6

    def test_no_proxy_for_all_hosts_stays(self, tree):
        """A star means every host, but only if it is alone."""
        tree.run("test", "anything", NO_PROXY="*")

        assert json.loads((tree.home / "environment.json").read_text("utf-8"))["NO_PROXY"] == "*"

    def test_all_read_and_write_utf_8(self, tree):
        """The apps, the provider and the tools use UTF-8 with every encoding of the system."""
        other = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"}
        with tree.running(**other):
            inside = [environment_of(tree.first_port), environment_of(tree.provider_port)]
        tree.run("test", "anything", **other)
        inside.append(json.loads((tree.home / "environment.json").read_text("utf-8")))

        assert [(one["PYTHONUTF8"], one["PYTHONIOENCODING"]) for one in inside] == [("1", "utf-8")] * 3

    def test_every_setting_of_an_app_is_known(self):
        """Every setting that an app reads is removed from the environment of the gallery's apps."""
        code = [file.read_text("utf-8") for folder in app_folders() for file in (ROOT / folder).rglob("*.py")]
        read = set(re.findall(r"""(?:environ(?:\.get)?|getenv|setting|optional)[\[(]["'](\w+)["']""", "\n".join(code)))

        assert {"PORT", "URL", "OAUTH_SCOPE", "OKTA_CLIENT_SECRET"} <= read
        assert read - settings_of_apps() == set()

    def test_real_apps_log_in_past_a_proxy(self, tmp_path):
        """With a proxy and foreign settings in the shell, every app of this repository logs in, with every provider."""
        shutil.copytree(ROOT, tmp_path / "tree", ignore=shutil.ignore_patterns(*LEFT_OUT))
        real = Copy(tmp_path / "tree")
        for file in [*real.home.glob("*/.env.example"), *real.home.glob("raw_requests/*/.env.example")]:
            practice = file.read_text("utf-8").replace(PRACTICE_PROVIDER, f"http://localhost:{real.provider_port}")
            file.write_text(practice, "utf-8")
        greeted = []
        with real.running("-c", RUN_WITH_THIS_PYTHON, **{**SHELL, "PYTHONPATH": ""}):
            for folder, provider_name in find_logins():
                url = str(real.gallery()[folder]["url"]).rstrip("/")
                visitor = Visitor(App(folder, url, real.home / folder, {}, provider_name))
                visitor.log_in_as("Ada Lovelace")
                greeted.append("Logged in as Ada Lovelace" in visitor.text)
                visitor.close()

        assert len(greeted) >= 8 and all(greeted), greeted


@pytest.mark.skipif(ON_WINDOWS, reason="Windows has no such modes")
class TestPrivacy:
    def test_others_read_no_log(self, tree):
        """Only the owner can read the files of a run: JupyterLab's log has a token that opens a terminal."""
        folder = tree.home / ".learn"
        folder.chmod(0o755)  # the mode of earlier releases
        with tree.running():
            modes = {path.name: path.stat().st_mode & 0o077 for path in [folder, *(folder / "logs").iterdir()]}

        assert {".learn", "zebra.log", "fake_provider.log"} <= modes.keys()
        assert {name: oct(mode) for name, mode in modes.items() if mode} == {}

    def test_others_read_nothing_that_an_app_writes(self, tree):
        """Such as a database with tokens in it."""
        tree.write("yak/app.py", "open('users.db', 'w').close()\n" + APP)
        with tree.running():
            mode = (tree.home / "yak" / "users.db").stat().st_mode & 0o077
        shutil.rmtree(tree.home / "yak")

        assert oct(mode) == oct(0)


def own_settings() -> str:
    """Return the settings of all apps, as one `.env.example`."""
    return "".join(f"{name}=\n" for name in sorted(settings_of_apps()))


def environment_of(port: int) -> dict[str, str]:
    """Return the environment of the small app or provider at this port."""
    return requests.get(f"http://localhost:{port}/environment", timeout=5).json()


class TestTest:
    def test_pytest_runs_last(self, tree):
        """All checks run in order, and pytest runs last."""
        status, said = tree.run("test")

        assert status == 0, said
        assert [line.split()[0] for line in said.splitlines() if "was here" in line] == [
            "ruff",
            "ruff",
            "mypy",
            "pytest",
        ]

    def test_a_check_that_fails_is_named(self, tree):
        """A failed check is named at once, the other checks still run, and the status is 1."""
        tree.write("FAIL", "mypy")
        status, said = tree.run("test")
        (tree.home / "FAIL").unlink()

        named, pytest_was_here = said.splitlines()[-2:]
        assert status == 1, said
        assert named == "mypy failed." and pytest_was_here.startswith("pytest ")

    @pytest.mark.parametrize("arguments", [[], ["tests/test_login.py"], ["zebra"]], ids=["all", "a file", "a folder"])
    def test_a_test_that_fails_is_the_exit_status(self, tree, arguments):
        """When pytest fails the status is 1: a machine that runs the suite does not report it as passed."""
        tree.write("FAIL", "pytest")
        status, said = tree.run("test", *arguments)
        (tree.home / "FAIL").unlink()

        assert status == 1, said

    def test_arguments_are_for_pytest_alone(self, tree):
        """With arguments only pytest runs."""
        status, said = tree.run("test", "tests/test_login.py", "-k", "deny")

        assert (status, said) == (0, "pytest tests/test_login.py -k deny was here\n")

    @pytest.mark.parametrize("typed", ["zebra", "zebra/", "./zebra"])
    def test_a_folder_runs_the_tests_of_this_app(self, tree, typed):
        """With the folder of an app, pytest runs the tests of this app, and the time is printed at the end."""
        tree.write("tests/apps/test_zebra.py", "")
        status, said = tree.run("test", typed, "-k", "deny")
        shutil.rmtree(tree.home / "tests")

        command, time = said.splitlines()
        shared = " ".join(f"tests/apps/test_{name}.py" for name in OF_EVERY_APP)
        files = f"tests/test_login.py tests/test_attacks.py {shared} tests/apps/test_zebra.py tests/docs/test_docs.py"
        assert status == 0, said
        assert command.startswith(f"pytest {files} --only-app zebra ") and command.endswith(" -k deny was here")
        assert re.fullmatch(r"The tests of zebra took \d+ s\.", time)

    def test_the_tests_of_every_app_exist(self):
        """The files with tests that have each app as a parameter are named right."""
        assert [name for name in OF_EVERY_APP if not (ROOT / f"tests/apps/test_{name}.py").exists()] == []

    def test_a_program_beside_an_app_has_tests_too(self):
        """An app's own tests are named after its folder, or after a program beside its app.py."""
        assert own_tests("raw_requests") == ["tests/apps/test_raw_requests.py", "tests/apps/test_terminal.py"]
        assert own_tests("raw_requests/session_guard") == ["tests/apps/test_session_guard.py"]

    @pytest.mark.parametrize(
        "folder", ["raw_requests", "raw_requests/session_guard", "github_dance", "step1_bootstrap"]
    )
    def test_only_one_app_is_chosen(self, folder):
        """Everything about this app is chosen, with each of its providers, and nothing about another."""
        files = ["tests/test_login.py", "tests/test_attacks.py", "tests/docs/test_docs.py"]
        command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"]
        chosen = subprocess.check_output(
            [*command, "--only-app", folder, *files], cwd=ROOT, encoding="utf-8", timeout=120
        )
        found = re.findall(r"^(tests/\S+?\.py)::\w+\[(.+)\]$", chosen, re.MULTILINE)
        logins = [name for name in map(login_id, find_logins()) if name == folder or name.startswith(f"{folder}-")]

        assert {about.split("/README.md")[0] for file, about in found if file.endswith("test_docs.py")} == {folder}
        attacked = [about for file, about in found if file.endswith("attacks.py") and "-RP-" in about]
        assert len(attacked) == (len(ROWS) if logins else 0)
        assert {name for _, about in found for name in logins if about.startswith(name)} == set(logins)
        assert [about for _, about in found if not f"{about.replace('/README.md', '')}-".startswith(f"{folder}-")] == []

    @pytest.mark.skipif(ON_WINDOWS, reason="Windows has no SIGTERM")
    def test_a_signal_lets_pytest_stop_its_tests(self, tree):
        """SIGTERM would end pytest at once, and leave the provider and the apps of its tests running."""
        tree.write("WAIT", "")
        process = tree.start("test", "anything")
        read_until("waits", process)
        process.terminate()
        said = process.communicate(timeout=60)[0]
        (tree.home / "WAIT").unlink()

        assert said.startswith("stops what its tests have started") and process.returncode == 130


QUOTING_PAGE = """# A page

```python title="zebra/app.py"
if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
```
"""
LOGINS = """[no_header]
app = "zebra"
[[no_header.changes]]
old = '''        self.send_header("X-Fake-Provider", "1")'''
new = ''''''
"""


STORE = """import pathlib, sys
print('notebook', pathlib.Path(sys.argv[1]).name, 'was here')
file = pathlib.Path(sys.argv[1])
file.write_text(file.read_text('utf-8').replace('code=old', 'code=new').replace('404', '200 OK'), 'utf-8')
"""


@pytest.fixture
def quoting_tree(tree):
    """A tree with pages that quote an app, and small programs in place of those that measure and run notebooks."""
    tree.write("README.md", QUOTING_PAGE.replace("    HTTP", "    # stale\n    HTTP"))
    tree.write("docs/stale.md", "")
    tree.write("workshop/broken_logins/logins.toml", LOGINS)
    tree.write("tools/comparison/__main__.py", "print('comparison was here')")
    tree.write("notebooks/store.py", STORE)
    tree.write("notebooks/sanitize.cfg", "[values]\nregex: code=\\w+\nreplace: code=VALUE\n")
    for name, output in (("1_a", "code=old 200 OK"), ("2_b", "code=old 404")):
        tree.write(f"notebooks/{name}.ipynb", json.dumps({"cells": [{"outputs": [{"text": [output]}]}]}))
    yield tree
    for path in ("README.md", "docs", "workshop", "notebooks"):
        left = tree.home / path
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def steps_of(said: str) -> list[str]:
    """Return the steps of `refresh` that were begun, in their order."""
    return [found for found in re.findall(r"^([\w-]+): (?!done)", said, re.MULTILINE) if found in STEPS]


class TestModules:
    @pytest.mark.parametrize(
        ("command", "module", "arguments"),
        [
            ("bench", "tools/bench/benchmark.py", ["--no-peers", "--seconds", "0.5"]),
            ("compare", "tools/comparison/__main__.py", []),
            pytest.param(
                *("going-live", "tools/going_live/run.py", ["--once", "step3_login"]),
                marks=pytest.mark.skipif(ON_WINDOWS, reason="gunicorn does not run on Windows"),
            ),
        ],
    )
    def test_options_are_passed_on(self, tree, command, module, arguments):
        """The module runs in .venv with the options, and its exit status is that of the command."""
        tree.write(module, "import sys\nprint(sys.prefix, *sys.argv[1:])\nsys.exit(3)")
        status, said = tree.run(command, *arguments)

        assert status == 3, said
        assert said.endswith(" ".join([str(tree.home / ".venv"), *arguments]) + "\n")

    @pytest.mark.parametrize("command", ["bench", "going-live"])
    def test_an_unknown_option_is_named_before_anything_is_installed(self, bare_tree, command):
        """The options are read first."""
        status, said = bare_tree.run(command, "--unknown")

        assert status == 2 and "unrecognized arguments: --unknown" in said
        assert not (bare_tree.home / ".learn").exists()


class TestRefresh:
    def test_all_steps_run_in_their_order(self, quoting_tree):
        """One step needs what another writes; at the end the changed files are named."""
        status, said = quoting_tree.run("refresh")

        assert status == 0, said
        assert steps_of(said) == list(STEPS)
        assert [line.split()[0] for line in said.splitlines() if line.endswith("was here")] == [
            *("pytest", "comparison", "notebook", "notebook", "pytest")
        ]
        assert "pytest tests/test_attacks.py --write-security" in said and re.search(r"excerpts: done in \d+ s", said)
        assert said.endswith("Changed files:\n  README.md\n  notebooks/2_b.ipynb\n")
        assert "stale" not in (quoting_tree.home / "README.md").read_text("utf-8")

    def test_pictures_are_written_and_chromium_is_required(self, quoting_tree):
        """Without these settings the tests would compare the pictures, or be skipped."""
        status, said = quoting_tree.run("refresh", "--only", "pictures")
        environment = json.loads((quoting_tree.home / "environment.json").read_text("utf-8"))

        assert status == 0, said
        assert (environment["WRITE_PICTURES"], environment["REQUIRE"]) == ("1", "chromium")

    def test_it_stops_at_the_first_failure(self, quoting_tree):
        """A step that fails is named, with the command that goes on from it; the steps behind it do not run."""
        quoting_tree.write("FAIL", "pytest")
        status, said = quoting_tree.run("refresh")
        (quoting_tree.home / "FAIL").unlink()

        assert status == 1, said
        assert steps_of(said) == ["broken-logins", "security"]
        assert "security has failed after" in said and f"{PYTHON} learn.py refresh --from security" in said

    def test_a_stale_broken_login_is_named(self, quoting_tree):
        """A line that an app does not have any more cannot be taken out of it."""
        quoting_tree.write("workshop/broken_logins/logins.toml", LOGINS.replace("Fake", "Real"))
        status, said = quoting_tree.run("refresh")

        assert status == 1, said
        assert steps_of(said) == ["broken-logins"] and " in no_header. " in said

    @pytest.mark.parametrize(
        ("option", "expected"), [("--from", ["excerpts", "notebooks", "pictures"]), ("--only", ["excerpts"])]
    )
    def test_it_can_begin_later(self, quoting_tree, option, expected):
        """--from skips the steps before, --only all others."""
        status, said = quoting_tree.run("refresh", option, "excerpts")

        assert status == 0, said
        assert steps_of(said) == expected

    def test_an_excerpt_that_is_lost_is_named(self, quoting_tree):
        """A block that is in its file no more is named with its page and line."""
        quoting_tree.write(
            "docs/stale.md", '# A page\n\n```python title="zebra/app.py"\nrows = read()\nprint(rows)\n```\n'
        )
        status, said = quoting_tree.run("refresh", "--only", "excerpts")

        assert status == 1, said
        assert "docs/stale.md: line 3: the block from zebra/app.py is not there any more" in said


class TestClean:
    def test_clean_keeps_your_files(self, bare_tree):
        """The leftovers of runs are removed; .env, the code and your own apps stay."""
        bare_tree.write("zebra/.env", "CLIENT_SECRET=mine")
        for path in ("zebra/db.sqlite", "zebra/flask_session/1", ".venv/pyvenv.cfg", ".learn/clients.json"):
            bare_tree.write(path, "left")
        mine = [f"{folder}/{file}" for folder in ("my_login", "my_repairs") for file in ("app.py", "users.db")]
        for path in mine:
            bare_tree.write(path, "mine")
        status, said = bare_tree.run("clean")

        kept = {path.name for path in [*bare_tree.home.iterdir(), *(bare_tree.home / "zebra").iterdir()]}
        assert [path for path in mine if not (bare_tree.home / path).exists()] == []
        assert status == 0 and "removed zebra/db.sqlite (0.0 MB)" in said
        assert {"app.py", ".env"} <= kept and not {"db.sqlite", "flask_session", ".venv", ".learn"} & kept

    @pytest.mark.usefixtures("symlinks")
    def test_clean_stays_in_the_tree(self, bare_tree, tmp_path):
        """A symbolic link is removed or ignored; its target stays."""
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "my.db").write_text("mine", "utf-8")
        for link in (".venv", "zebra/elsewhere"):
            (bare_tree.home / link).symlink_to(tmp_path / "mine", target_is_directory=True)
        bare_tree.run("clean")

        assert (tmp_path / "mine" / "my.db").exists()
        assert not (bare_tree.home / ".venv").is_symlink()

    def test_clean_refuses_while_apps_run(self, tree):
        """The running apps need their files."""
        with tree.running():
            status, said = tree.run("clean")

        assert status == 1, said
        assert one_sentence(said).startswith("The apps are running")


class TestUsage:
    def test_an_unknown_command_shows_the_others(self, bare_tree):
        """An unknown command is named, and all commands are listed."""
        status, said = bare_tree.run("start")

        assert status == 2, said
        assert said.startswith("There is no command start.\n\nUsage: ")
        assert [name for name in COMMANDS if f"\n  {name} " not in said] == []

    def test_help_has_two_columns(self, bare_tree):
        """The descriptions begin in the same column."""
        status, said = bare_tree.run("--help")
        rows = [line for line in said.splitlines() if line.startswith("  ")]
        starts = {re.match(r"  \S+ {2,}", row).end() for row in rows}

        assert status == 0 and len(rows) == len(COMMANDS)
        assert len(starts) == 1

    @pytest.mark.parametrize("asked", ["-h", "--help"])
    @pytest.mark.parametrize("name", COMMANDS)
    def test_each_command_has_help(self, bare_tree, name, asked):
        """It has the usage, the description and an example; nothing is installed for it."""
        status, said = bare_tree.run(name, asked)

        assert status == 0, said
        assert said.startswith(f"usage: {PYTHON} learn.py {name} ")
        assert COMMANDS[name].does[1:] in " ".join(said.split())
        assert f"Example: {PYTHON} learn.py {name}" in said
        assert not (bare_tree.home / ".learn").exists()

    def test_each_command_is_a_function_of_its_name(self):
        """A row without its module would be noticed only when the command is typed."""
        assert all(callable(function_of(name)) for name in COMMANDS)

    def test_an_unknown_option_is_named(self, bare_tree):
        """`run` refuses unknown options."""
        status, said = bare_tree.run("--browser")

        assert status == 2, said
        assert "unrecognized arguments: --browser" in said

    @pytest.mark.parametrize("folder", app_folders())
    def test_each_readme_says_which_python(self, folder):
        """Before the first command, for every system, with the same words in each README."""
        readme = (ROOT / folder / "README.md").read_text("utf-8")
        before, _, after = readme.partition("```\ncd ")

        assert "`python3 learn.py` (Windows: `py learn.py`)" in before
        assert before.count(WHICH_PYTHON) == 1 and "python -m" not in before.partition(WHICH_PYTHON)[0]
        assert after.startswith(f"{folder}\npython app.py\n```")

    def test_windows_users_learn_of_reserved_ports(self, monkeypatch):
        """A port that Hyper-V has reserved looks taken, and netstat shows no program there."""
        monkeypatch.setattr(sys, "platform", "win32")

        assert "excludedportrange" in ports.how_to_find_program(9000)
