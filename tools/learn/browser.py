"""A browser is opened for somebody who sits at this machine, and never where it would take over the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress


def open_browser(url: str) -> None:
    """Open the address in the learner's browser, if there is a screen and somebody before it."""
    if not sys.stdout.isatty() or "CI" in os.environ or not _has_screen():
        return
    with suppress(OSError):
        subprocess.Popen(  # noqa: S603 - Python's own module, in a process of its own: browsers print a lot
            [sys.executable, "-m", "webbrowser", url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _has_screen() -> bool:
    """Without a screen, Linux would open a browser of the text kind, in our terminal."""
    if not sys.platform.startswith("linux"):
        return True
    return any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "BROWSER"))
