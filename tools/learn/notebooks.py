"""JupyterLab beside the provider, on this machine alone: nothing is asked of the internet, nothing is left behind."""

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

FIRST = "notebooks/1_follow_one_login.ipynb"
START_TIMEOUT = 60.0  # seconds until JupyterLab must answer; the first start compiles it
SETTINGS = (
    "--no-browser",  # we open it, where there is a screen
    "--ServerApp.ip=127.0.0.1",
    f"--LabApp.default_url=/lab/tree/{FIRST}",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",  # the other one asks the package registry
)

SETTINGS_OF_PAGES = {
    # or it asks, in a note on its first start, whether it may look for news
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    # or whoever looks at a notebook changes it, and the suite finds that it is not the stored one any more
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


def notebooks(arguments: list[str]) -> int:
    """Start both, say where JupyterLab is, and stop them on Ctrl-C."""
    parser = parser_for("notebooks", takes="[--no-browser] [JUPYTERLAB_OPTION ...]")
    parser.add_argument("--no-browser", action="store_true", help="print JupyterLab's URL, and do not open it")
    options, rest = parser.parse_known_args(arguments)
    python = ensure("requirements-dev.txt")
    return go_on(python, rest, PROVIDER_PORT, with_browser=not options.no_browser)


def go_on(python: Path, rest: list[str], provider_port: int, with_browser: bool) -> int:
    """Run until Ctrl-C or until somebody shuts JupyterLab down; `rest` are settings for JupyterLab."""
    make_private(LOGS)
    children: list[processes.Child] = []
    runs_already = bool(ports.find_taken([provider_port]))
    # Nobody removes or changes the environment while it is in use; a gallery that runs holds this lock itself.
    held = nullcontext() if runs_already or lock.is_held(RUNNING) else lock.hold(RUNNING, lambda: None)
    with held, tempfile.TemporaryDirectory(dir=LEARN, prefix="jupyter-", ignore_cleanup_errors=True) as folder:
        try:
            if runs_already:
                _say_who_is_there(provider_port)
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
                # Not the address itself: the token in it would be in the list of processes, for all to see.
                open_browser(next(Path(folder).glob("jpserver-*-open.html")).as_uri())
            while jupyter.process.poll() is None:  # and not wait(), which on Windows takes no signal
                time.sleep(0.2)
        except KeyboardInterrupt:
            say("Stopping.")
        finally:
            with _deaf():
                processes.stop(child.process for child in reversed(children))
    say("Stopped.")
    return 0


def _say_who_is_there(port: int) -> None:
    if ports.is_provider(port):
        say(f"The gallery is running already, at http://localhost:{port}/, and stays.")
    else:
        say(f"Port {port} is taken by another program ({ports.who_takes(port)}); the notebooks do without it.")


def _start_provider(python: Path, port: int) -> processes.Child:
    command = ["-m", "fake_provider", "--port", str(port), "--clients", str(CLIENTS)]
    provider = _start("fake_provider", python, command, processes.clean_environment())
    say(f"The fake provider is at http://localhost:{port}/; each notebook has one of its own besides.")
    return provider


def _start(name: str, python: Path, command: list[str], environment: dict[str, str]) -> processes.Child:
    process = processes.start([str(python), *command], ROOT, environment)
    return processes.Child(process, LOGS / f"{name}.log", lambda: None)


def _environment(runtime: Path) -> dict[str, str]:
    """Everything that Jupyter writes is in `.learn`; the learner's own Jupyter is left alone."""
    jupyter = LEARN / "jupyter"
    overrides = jupyter / "config" / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir(parents=True, exist_ok=True)
    overrides.write_text(json.dumps(SETTINGS_OF_PAGES), "utf-8")
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
    """Let JupyterLab show the stored drawings of our notebooks before they are run."""
    files = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("notebooks/*.ipynb"))]
    process = processes.start([str(python), "-m", "nbformat.sign", *files], ROOT, environment)
    try:
        for _ in processes.lines_of(process):
            pass
        process.wait()
    finally:
        processes.stop([process])


def _wait_for_server(jupyter: processes.Child, runtime: Path) -> dict[str, str]:
    """Return what JupyterLab says of itself, as soon as it answers."""
    end = time.monotonic() + START_TIMEOUT
    log = from_root(LOGS / "jupyterlab.log")
    while time.monotonic() < end:
        if jupyter.process.poll() is not None:
            raise Problem(f"JupyterLab has stopped: {jupyter.last_words or 'it said nothing'} ({log} has more)")
        for file in runtime.glob("jpserver-*.json"):
            try:
                server = json.loads(file.read_text("utf-8"))
            except ValueError:  # half-written
                continue
            if ports.answers(server["port"], "/api"):
                return dict(server)
        time.sleep(0.05)
    raise Problem(f"JupyterLab does not answer: {log} may say why.")


@contextmanager
def _deaf() -> Iterator[None]:
    """Let no second Ctrl-C break the stopping."""
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
