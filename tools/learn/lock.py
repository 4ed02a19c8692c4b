"""Locks between processes, as locked files. The system releases the lock of a process that ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..places import make_private


@contextmanager
def hold(file: Path, when_taken: Callable[[], None]) -> Iterator[int]:
    """Hold the lock during the block. If another process has it, call `when_taken`, which may raise, then wait.

    Yields the file descriptor: a child process that inherits it holds the lock too.
    """
    make_private(file.parent)
    with file.open("ab") as stream:
        if not _try_to_lock(stream):
            when_taken()
            while not _try_to_lock(stream):
                time.sleep(0.1)
        yield stream.fileno()


def is_held(file: Path) -> bool:
    """Tell whether a process holds the lock."""
    if not file.exists():
        return False
    with file.open("ab") as stream:
        return not _try_to_lock(stream)


if sys.platform == "win32":
    import msvcrt

    def _try_to_lock(stream: IO[bytes]) -> bool:
        stream.seek(0)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_to_lock(stream: IO[bytes]) -> bool:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
