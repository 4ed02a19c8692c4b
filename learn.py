"""`python3 learn.py` is the one entry to everything here; what it can do is in `tools.learn/`.

This file keeps to a syntax that every Python reads, so that on an old one its sentence is read and not a traceback.
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
