"""The entry to everything here: `python3 learn.py`. The commands are in `tools/learn/`.

This file uses only syntax that old Pythons can read, so that they print its sentence and not a syntax error.
"""

import sys

NEEDED = (3, 11)

if sys.version_info < NEEDED:
    sys.exit(
        "Python 3.11 or newer is needed, and this is Python "
        + ".".join(map(str, sys.version_info[:3]))
        + ": install a newer one from python.org or with your package manager, then run "
        + ("py -3.13 learn.py" if sys.platform == "win32" else "python3.13 learn.py")
        + "."
    )

if __name__ == "__main__":
    from tools.learn import main

    sys.exit(main(sys.argv[1:]))
