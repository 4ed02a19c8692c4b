"""What the four ways cost and what they bring, measured: `python3 learn.py compare` writes docs/comparison.md."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT / "tests") not in sys.path:  # what starts the apps and logs in to them is the suite's
    sys.path.append(str(ROOT / "tests"))
