"""All checks run, whichever fails, and pytest runs last, so that the last line is its own."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

from ..places import ROOT
from . import processes
from .console import say
from .environment import ensure, ensure_newest
from .table import parser_for

# Much of a test is waiting, for a page or for a timeout: more processes than processors. Four on two processors took a
# tenth more work than three, and ended no sooner.
SIDE_BY_SIDE = ("--numprocesses", "3", "--dist", "loadscope", "--durations", "10")
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
)


def test(arguments: list[str]) -> int:
    """Run the checks and the suite; with arguments, only pytest, with these."""
    parser = parser_for("test", takes="[--newest] [PYTEST_ARGUMENT ...]")
    parser.add_argument("--newest", action="store_true", help="with the newest releases, in place of the locked ones")
    options, arguments = parser.parse_known_args(arguments)
    python = ensure_newest() if options.newest else ensure("requirements-dev.txt")
    passed = True
    for check in () if arguments else CHECKS:
        say(f"{' '.join(check)}:")
        if run_module(python, *check) != 0:
            say(f"{' '.join(check)} failed.")
            passed = False
    status = run_module(python, "pytest", *(arguments or SIDE_BY_SIDE))
    return status if passed else status or 1


def run_module(python: Path, *module: str) -> int:
    """Run a module in the foreground. Ctrl-C is its to take: pytest then stops what its tests have started."""
    environment = processes.clean_environment()
    process = subprocess.Popen([str(python), "-m", *module], cwd=ROOT, env=environment)  # noqa: S603 - our own tools
    interrupted = False

    def pass_on(as_signal: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
        def take(*_: object) -> None:
            nonlocal interrupted
            interrupted = True
            as_signal()

        return take

    # The terminal sends Ctrl-C to both of us; SIGTERM comes to us alone. It would end pytest at once, which would leave
    # behind what its tests have started; Ctrl-C lets it stop them.
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
