"""The comparison of the four ways, which `python3 learn.py compare` writes to docs/comparison.md."""
