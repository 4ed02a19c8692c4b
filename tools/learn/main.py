"""A command is a word and a function that returns the exit status; a problem is one sentence, never a traceback."""

from __future__ import annotations

import signal
import sys

from .command_table import COMMANDS, DEFAULT, function_of, overview
from .console import Problem, prepare_output, say


def main(arguments: list[str]) -> int:
    """Do what the command line asks and return the exit status."""
    prepare_output()
    if arguments[:1] in (["-h"], ["--help"]):
        say(overview())
        return 0
    name = arguments[0] if arguments and not arguments[0].startswith("-") else DEFAULT
    rest = arguments[1:] if arguments[:1] == [name] else arguments
    if name not in COMMANDS:
        say(f"There is no command {name}.\n\n{overview()}", to=sys.stderr)
        return 2
    _end_as_on_ctrl_c()
    try:
        return function_of(name)(rest)
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


def _end_as_on_ctrl_c() -> None:
    """Without this, SIGTERM would end us at once and leave behind what we have started."""
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
