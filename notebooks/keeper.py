"""`stage.py` starts every process through this one, which ends it when the kernel ends, however the kernel ends.

Our standard input is a pipe that the kernel holds open. When the kernel is gone, even by a kill that it cannot answer,
the system closes the pipe; then what was started is stopped, and its folder removed.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fake_provider.launcher import stop  # noqa: E402 - found by the line above


def main(folder, *command):
    """Run the command in the current folder, its output in `folder`/log.txt, until it ends or the kernel does."""
    alone = {} if sys.platform == "win32" else {"start_new_session": True}
    with open(Path(folder) / "log.txt", "ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **alone)  # noqa: S603

    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    threading.Thread(target=lambda: (os.read(0, 1), ending.set()), daemon=True).start()
    while process.poll() is None and not ending.wait(0.1):
        pass
    if not ending.is_set():  # it has ended by itself: what it said is still wanted
        os._exit(process.returncode)
    stop(process)
    os.chdir(Path(folder).parent)  # Windows removes no folder that somebody is in
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
