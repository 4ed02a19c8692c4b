"""The table of commands, one row each. A new command is a row here and a module with a function of its name."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from ..places import PYTHON

DEFAULT = "run"


@dataclass(frozen=True)
class Command:
    """What a command does, in a few words, and its arguments in one example."""

    does: str
    example: str = ""


COMMANDS = {
    "run": Command("start the fake provider and every app, and open the gallery", "--no-browser"),
    "test": Command(
        "run the checks and the whole suite, or the tests of one app, or pytest's arguments", "step3_login"
    ),
    "notebooks": Command("start JupyterLab with the notebooks, and open it", "--no-browser"),
    "check": Command("run the specification and the attacks against your own app", "http://localhost:5000"),
    "compare": Command("measure the four ways side by side, and write docs/comparison.md"),
    "bench": Command("measure the fake provider beside other test providers", "--no-peers"),
    "going-live": Command("run the login apps as on a server: gunicorn, nginx, PostgreSQL, Redis", "step3_login"),
    "refresh": Command("regenerate all pages, notebooks and pictures that are written from runs", "--from excerpts"),
    "clean": Command("remove what runs have left: .venv, databases, sessions, caches; never a .env"),
}


def function_of(name: str) -> Callable[[list[str]], int]:
    """Return the function of a command: it takes the arguments and returns the exit status."""
    module = name.replace("-", "_")
    function: Callable[[list[str]], int] = getattr(import_module(f"tools.learn.{module}"), module)
    return function


def typed(name: str) -> str:
    """Return what a reader types to run a command on this system."""
    return f"{PYTHON} learn.py {name}"


def parser_for(name: str, takes: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of a command, to which its module adds the options.

    `takes` is the usage line of a command that passes arguments on.
    """
    command = COMMANDS[name]
    return argparse.ArgumentParser(
        typed(name),
        usage=takes and f"%(prog)s [-h] {takes}",
        description=f"{command.does[0].upper()}{command.does[1:]}.",
        epilog=f"Example: {typed(name)} {command.example}".rstrip(),
        allow_abbrev=False,
    )


def overview() -> str:
    """Return the list of commands, in two columns."""
    width = max(map(len, COMMANDS))
    return "\n".join(
        [
            f"Usage: {PYTHON} learn.py [COMMAND] [ARGUMENTS]",
            "",
            *(f"  {name:<{width}}  {command.does}" for name, command in COMMANDS.items()),
            "",
            f"Without a command: {DEFAULT}. More about one of them: {PYTHON} learn.py COMMAND --help",
        ]
    )
