"""The commands of `learn.py`, one module each. They need only Python's standard library."""

from .main import main

__all__ = ["main"]
