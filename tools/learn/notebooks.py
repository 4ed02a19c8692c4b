"""The command `notebooks`: JupyterLab and the provider, on this machine alone. They send nothing to the internet."""

from __future__ import annotations

import json
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from ..apps import PROVIDER_PORT
from ..places import CLIENTS, LEARN, LOGS, ROOT, RUNNING, from_root, make_private
from . import lock, ports, processes
from .browser import open_browser
from .command_table import parser_for
from .console import Problem, say
from .environment import ensure

FIRST_NOTEBOOK = "notebooks/1_follow_one_login.ipynb"
START_TIMEOUT = 60.0  # seconds until JupyterLab must respond; it takes long on its first start
SETTINGS = (
    "--no-browser",  # this command opens it, if there is a screen
    "--ServerApp.ip=127.0.0.1",
    f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK}",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",  # the default one sends requests to the package registry
)

PAGE_SETTINGS = {
    # Without this, JupyterLab shows a question on its first start: may it fetch news?
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    # Autosave would change a notebook that you only look at, and the suite would fail.
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


def notebooks(arguments: list[str]) -> int:
    """Start both, print the URL of JupyterLab, and stop them on Ctrl-C."""
    parser = parser_for("notebooks", takes="[--no-browser] [JUPYTERLAB_OPTION ...]")
    parser.add_argument("--no-browser", action="store_true", help="print JupyterLab's URL, and do not open it")
    options, rest = parser.parse_known_args(arguments)
    python = ensure("requirements-dev.txt")
    return run_jupyterlab(python, rest, PROVIDER_PORT, with_browser=not options.no_browser)


def run_jupyterlab(python: Path, rest: list[str], provider_port: int, with_browser: bool) -> int:
    """Run until Ctrl-C, or until you shut JupyterLab down; `rest` are options of JupyterLab."""
    make_private(LOGS)
    children: list[processes.Child] = []
    is_port_taken = bool(ports.find_taken([provider_port]))
    # The lock protects the environment while it is in use; a running gallery holds it already.
    held = nullcontext() if is_port_taken or lock.is_held(RUNNING) else lock.hold(RUNNING, lambda: None)
    with held, tempfile.TemporaryDirectory(dir=LEARN, prefix="jupyter-", ignore_cleanup_errors=True) as folder:
        try:
            if is_port_taken:
                _say_what_is_running(provider_port)
            else:
                children.append(_start_provider(python, provider_port))
            say("Starting JupyterLab.")
            environment = _environment(Path(folder))
            _trust(python, environment)
            jupyter = _start("jupyterlab", python, ["-m", "jupyterlab", *SETTINGS, *rest], environment)
            children.append(jupyter)
            server = _wait_for_server(jupyter, Path(folder))
            say(f"\nJupyterLab is at {server['url']}lab?token={server['token']}\n\nCtrl-C stops it.")
            if with_browser:
                # Not the URL itself: with its token it would be in the list of processes, which all users can read.
                open_browser(next(Path(folder).glob("jpserver-*-open.html")).as_uri())
            while jupyter.process.poll() is None:  # on Windows, wait() would not be interrupted by Ctrl-C
                time.sleep(0.2)
        except KeyboardInterrupt:
            say("Stopping.")
        finally:
            with _ignored_signals():
                processes.stop(child.process for child in reversed(children))
    say("Stopped.")
    return 0


def _say_what_is_running(port: int) -> None:
    if ports.is_provider(port):
        say(f"The gallery is running already, at http://localhost:{port}/, and is used.")
    else:
        say(
            f"Port {port} is taken by another program, and the notebooks do not need it: "
            f"{ports.how_to_find_program(port)}."
        )


def _start_provider(python: Path, port: int) -> processes.Child:
    command = ["-m", "fake_provider", "--port", str(port), "--clients", str(CLIENTS)]
    provider = _start("fake_provider", python, command, processes.clean_environment())
    say(f"The fake provider is at http://localhost:{port}/; each notebook starts one of its own too.")
    return provider


def _start(name: str, python: Path, command: list[str], environment: dict[str, str]) -> processes.Child:
    process = processes.start([str(python), *command], ROOT, environment)
    return processes.Child(process, LOGS / f"{name}.log", lambda: None)


def _environment(runtime: Path) -> dict[str, str]:
    """Return an environment in which Jupyter writes only to `.learn`, and does not use your own settings."""
    jupyter = LEARN / "jupyter"
    overrides = jupyter / "config" / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir(parents=True, exist_ok=True)
    overrides.write_text(json.dumps(PAGE_SETTINGS), "utf-8")
    inherited = processes.clean_environment()
    ours = {name: value for name, value in inherited.items() if not name.startswith("JUPYTER")}  # JUPYTER_TOKEN, _PORT
    return dict(
        ours,
        JUPYTER_CONFIG_DIR=str(jupyter / "config"),
        JUPYTER_DATA_DIR=str(jupyter / "data"),
        JUPYTER_RUNTIME_DIR=str(runtime),
        IPYTHONDIR=str(jupyter / "ipython"),
        JUPYTER_PREFER_ENV_PATH="1",
    )


def _trust(python: Path, environment: dict[str, str]) -> None:
    """Sign the notebooks: JupyterLab then shows their stored drawings before they are run."""
    files = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("notebooks/*.ipynb"))]
    process = processes.start([str(python), "-m", "nbformat.sign", *files], ROOT, environment)
    try:
        for _ in processes.lines_of(process):
            pass
        process.wait()
    finally:
        processes.stop([process])


def _wait_for_server(jupyter: processes.Child, runtime: Path) -> dict[str, str]:
    """Return the URL and the token of JupyterLab as soon as it responds."""
    end = time.monotonic() + START_TIMEOUT
    log = from_root(LOGS / "jupyterlab.log")
    while time.monotonic() < end:
        if jupyter.process.poll() is not None:
            raise Problem(f"JupyterLab has stopped: {jupyter.last_words or 'it printed nothing'} ({log} has more)")
        for file in runtime.glob("jpserver-*.json"):
            try:
                server = json.loads(file.read_text("utf-8"))
            except ValueError:  # half-written
                continue
            if ports.responds(server["port"], "/api"):
                return dict(server)
        time.sleep(0.05)
    raise Problem(f"JupyterLab does not respond: {log} may say why.")


@contextmanager
def _ignored_signals() -> Iterator[None]:
    """Ignore further Ctrl-C while the processes are stopped."""
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
