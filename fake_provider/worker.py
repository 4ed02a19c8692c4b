"""`load()`, the first function that runs in the worker process of granian.

It needs a module of its own: a process that was started by "spawn" or "forkserver" finds a function by the name of its
module, and in that process `__main__` is another module.
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
    clients: Path | None, gallery: Path | None, classroom: Classroom | None, forwarded_port: int | None
) -> Callable[..., Any]:
    """Return the provider for granian; `forwarded_port` is the port of ::1 to forward to it, if any."""
    _end_with_parent()
    if forwarded_port is not None:  # first, so that a client to which the provider responds can use ::1 too
        forward_ipv6(forwarded_port)
    gc.disable()  # the start creates no garbage, and looking for it takes 5 % of the time
    from .app import create_app

    app = create_app(clients, gallery, classroom)
    gc.freeze()
    gc.enable()
    return app


def _end_with_parent() -> None:
    """End this process when its parent was killed: it would keep the port."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
