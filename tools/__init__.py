"""What makes the repository run: `learn.py`'s commands, the checks, the comparison and the measurements."""
