"""What the process that granian starts does first, in a module of its own.

Windows and macOS start that process by "spawn", Python 3.14 does on Linux too: it finds a function by the name of its
module, and the name of the program's is `__main__`, which is another module there.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .forwarder import forward_ipv6
from .state.classroom import Classroom


def load(
    clients: Path | None, gallery: Path | None, classroom: Classroom | None, forwarded: int | None
) -> Callable[..., Any]:
    """Return the provider for granian; `forwarded` is the port of ::1 that leads to it, if there is one."""
    _end_with_parent()
    if forwarded is not None:  # before the provider answers: whoever waits for that finds both addresses
        forward_ipv6(forwarded)
    gc.disable()  # nothing of what comes now is garbage, and looking for it takes a twentieth of the start
    from .app import create_app

    app = create_app(clients, gallery, classroom)
    gc.freeze()
    gc.enable()
    return app


def _end_with_parent() -> None:
    """End this process when the one that started it was killed: without it, the port would stay taken."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
