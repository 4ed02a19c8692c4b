"""A command is a word and a function that returns the exit status; a problem is one sentence, never a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from .check import check
from .clean import clean
from .compare import compare
from .console import Problem, prepare_output, say
from .notebooks import notebooks
from .run import run
from .test import test

COMMANDS: dict[str, tuple[Callable[[list[str]], int], str]] = {
    "run": (run, "start everything and open the gallery; --no-browser prints its address and no more"),
    "test": (test, "run the checks and the whole suite; with arguments, pytest alone with these"),
    "notebooks": (notebooks, "open the notebooks in JupyterLab; --no-browser prints its address and no more"),
    "check": (check, "run the specification and the attacks against your own app, at the address that follows"),
    "compare": (compare, "measure the four ways side by side and write docs/comparison.md"),
    "clean": (clean, "remove what runs have left: .venv, databases, sessions, caches; never a .env"),
}
DEFAULT = "run"


def main(arguments: list[str]) -> int:
    """Do what the command line asks and return the exit status."""
    prepare_output()
    name = arguments[0] if arguments and not arguments[0].startswith("-") else DEFAULT
    rest = arguments[1:] if arguments[:1] == [name] else arguments
    if name not in COMMANDS:
        say(f"There is no command {name}.\n{_usage()}", to=sys.stderr)
        return 2
    if rest[:1] in (["-h"], ["--help"]):
        say(_usage())
        return 0
    _end_as_on_ctrl_c()
    try:
        return COMMANDS[name][0](rest)
    except Problem as problem:
        say(str(problem), to=sys.stderr)
        return problem.status
    except OSError as error:  # a full disk, for one
        say(f"The system says: {error}; when that is mended, run this again.", to=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("Interrupted.", to=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done, and Python would end by it with a traceback


def _usage() -> str:
    typed = {name: f"python3 learn.py {'' if name == DEFAULT else name}" for name in COMMANDS}
    rows = [f"  {typed[name].strip():<24}{does}" for name, (_, does) in COMMANDS.items()]
    return "\n".join(["Usage:", *rows])


def _end_as_on_ctrl_c() -> None:
    """Without this, SIGTERM would end us at once and leave behind what we have started."""
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
