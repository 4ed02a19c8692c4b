"""What `learn.py` can do: one command, one module, and nothing beyond Python's standard library."""

from .main import main

__all__ = ["main"]
