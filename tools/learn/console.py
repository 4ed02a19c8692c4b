"""What is printed is plain sentences; printing never fails, not even when the terminal is gone."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO

BETWEEN_LINES = 5.0  # seconds, where the output is no terminal


class Problem(Exception):
    """What stops a command: one sentence that says what to do, and the exit status."""

    def __init__(self, sentence: str, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status


def say(text: str, to: TextIO | None = None) -> None:
    """Print at once; to the standard output unless told otherwise."""
    with suppress(OSError, ValueError):
        print(text, file=to or sys.stdout, flush=True)


def prepare_output() -> None:
    """Show a character that the terminal does not know as a question mark, where printing would fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


class Progress:
    """One line that is rewritten; where the output is no terminal, a line now and then."""

    def __init__(self) -> None:
        self._on_terminal = sys.stdout is not None and sys.stdout.isatty()
        self._last = 0.0

    def show(self, text: str) -> None:
        """Show how far it is."""
        if self._on_terminal:
            width = shutil.get_terminal_size().columns - 1
            self._write("\r" + text[:width].ljust(width))
        elif time.monotonic() > self._last + BETWEEN_LINES:
            self._last = time.monotonic()
            say(text)

    def clear(self) -> None:
        """Take the line away."""
        if self._on_terminal:
            self._write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stdout.write(text)
            sys.stdout.flush()
