"""The command `test`: the checks and the whole suite, or the tests of one app, or pytest with your arguments.

All checks run, even after one has failed, and pytest runs last.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

from ..apps import find_apps
from ..places import ROOT
from . import processes
from .command_table import parser_for
from .console import say
from .environment import ensure, ensure_newest

# Much of a test is waiting, for a page or for a timeout: more processes than processors. Four on two processors took a
# tenth more work than three, and ended no sooner.
PARALLEL = ("--numprocesses", "3", "--dist", "loadscope", "--durations", "10")
PARALLEL_ONE_APP = ("--numprocesses", "3", "--dist", "loadscope", "-q")
OF_EVERY_APP = ("settings", "leaks", "users", "links")  # files with tests that have each app as a parameter
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
)


def test(arguments: list[str]) -> int:
    """Run the checks and the suite; with an app's folder, the tests of that app; with other arguments, only pytest."""
    parser = parser_for("test", takes="[--newest] [FOLDER] [PYTEST_ARGUMENT ...]")
    parser.add_argument("--newest", action="store_true", help="with the newest releases, in place of the locked ones")
    parser.add_argument_group(
        "the tests of one app",
        "FOLDER, such as step3_login, runs what is about this app: the specification, the attacks, its settings, its "
        "own tests, and the excerpts in its README.",
    )
    options, arguments = parser.parse_known_args(arguments)
    python = ensure_newest() if options.newest else ensure("requirements-dev.txt")
    folder = find_folder(arguments[0]) if arguments else None
    if folder is not None:
        return _test_app(python, folder, arguments[1:])
    passed = True
    for check in () if arguments else CHECKS:
        say(f"{' '.join(check)}:")
        if run_module(python, *check) != 0:
            say(f"{' '.join(check)} failed.")
            passed = False
    status = run_module(python, "pytest", *(arguments or PARALLEL))
    return status if passed else status or 1


def find_folder(argument: str) -> str | None:
    """Return the folder of the app that an argument names, as `raw_requests/session_guard`; None for all else."""
    path = Path(argument).as_posix()
    return path if path in {app.folder for app in find_apps()} else None


def own_tests(folder: str, root: Path = ROOT) -> list[str]:
    """Return the app's own tests: those named after its folder, and after a program beside its `app.py`."""
    beside = [file.stem for file in (root / folder).glob("*.py") if file.stem != "app" and _is_program(file)]
    names = [Path(folder).name, *sorted(beside)]
    paths = [path for name in names for path in (f"tests/apps/test_{name}.py", f"tests/apps/{name}")]
    return [path for path in paths if (root / path).exists()]


def _is_program(file: Path) -> bool:
    return 'if __name__ == "__main__"' in file.read_text("utf-8")


def _test_app(python: Path, folder: str, arguments: list[str]) -> int:
    began = time.monotonic()
    shared = (f"tests/apps/test_{name}.py" for name in OF_EVERY_APP)
    own = own_tests(folder)
    files = ("tests/test_login.py", "tests/test_attacks.py", *shared, *own, "tests/docs/test_docs.py")
    status = run_module(python, "pytest", *files, "--only-app", folder, *PARALLEL_ONE_APP, *arguments)
    say(f"The tests of {folder} took {time.monotonic() - began:.0f} s.")
    return status


def run_module(python: Path, *module: str, **settings: str) -> int:
    """Run a module in the foreground, with these settings in its environment, and return its exit status.

    Ctrl-C is for the module to handle: pytest then stops what its tests have started.
    """
    environment = processes.clean_environment(**settings)
    process = subprocess.Popen([str(python), "-m", *module], cwd=ROOT, env=environment)  # noqa: S603 - our own tools
    interrupted = False

    def pass_on(send_signal: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
        def handle(*_: object) -> None:
            nonlocal interrupted
            interrupted = True
            send_signal()

        return handle

    # The terminal sends Ctrl-C to both processes, but SIGTERM comes to this one alone. SIGTERM would end pytest at once
    # and leave running what its tests have started; on Ctrl-C pytest stops it.
    previous = {signal.SIGINT: signal.signal(signal.SIGINT, pass_on(lambda: None))}
    previous[signal.SIGTERM] = signal.signal(signal.SIGTERM, pass_on(partial(process.send_signal, signal.SIGINT)))
    try:
        status = process.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if interrupted:
        raise KeyboardInterrupt
    return status
