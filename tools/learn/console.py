"""Printing: plain sentences, a line of progress, and no error even when the terminal is closed."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO

LINE_INTERVAL = 5.0  # seconds between two lines of progress where the output is no terminal


class Problem(Exception):
    """A problem that stops a command: one sentence that says what to do, and the exit status."""

    def __init__(self, sentence: str, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status


def say(text: str, to: TextIO | None = None) -> None:
    """Print without buffering, to the standard output by default."""
    with suppress(OSError, ValueError):
        print(text, file=to or sys.stdout, flush=True)


def prepare_output() -> None:
    """Replace characters that the terminal cannot show by a question mark; printing them would fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


class Progress:
    """A line of progress that is overwritten; where the output is no terminal, a new line every few seconds."""

    def __init__(self) -> None:
        self._on_terminal = sys.stdout is not None and sys.stdout.isatty()
        self._last = 0.0

    def show(self, text: str) -> None:
        """Show the progress."""
        if self._on_terminal:
            width = shutil.get_terminal_size().columns - 1
            self._write("\r" + text[:width].ljust(width))
        elif time.monotonic() > self._last + LINE_INTERVAL:
            self._last = time.monotonic()
            say(text)

    def clear(self) -> None:
        """Erase the line."""
        if self._on_terminal:
            self._write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stdout.write(text)
            sys.stdout.flush()
