"""The command line: it finds the command, runs it, and prints each problem as one sentence, never a traceback."""

from __future__ import annotations

import signal
import sys

from .command_table import COMMANDS, DEFAULT, function_of, overview
from .console import Problem, prepare_output, say


def main(arguments: list[str]) -> int:
    """Run the command of these arguments and return the exit status."""
    prepare_output()
    if arguments[:1] in (["-h"], ["--help"]):
        say(overview())
        return 0
    name = arguments[0] if arguments and not arguments[0].startswith("-") else DEFAULT
    rest = arguments[1:] if arguments[:1] == [name] else arguments
    if name not in COMMANDS:
        say(f"There is no command {name}.\n\n{overview()}", to=sys.stderr)
        return 2
    _handle_signals()
    try:
        return function_of(name)(rest)
    except Problem as problem:
        say(str(problem), to=sys.stderr)
        return problem.status
    except OSError as error:  # such as a full disk
        say(f"The system says: {error}. Fix that, then run this again.", to=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("Interrupted.", to=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a late Ctrl-C would print a traceback


def _handle_signals() -> None:
    """Let other signals end a command as Ctrl-C does. SIGTERM alone would leave its child processes running."""
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
