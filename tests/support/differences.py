"""Where an app differs from what the README asks for without being unsafe, such as in the title of a page.

A test of the specification records a difference and goes on, so that its assertions about security are all reached.
A test that has recorded one fails at its end; `learn.py check` reports it as a difference, and not as a failure.
"""

from __future__ import annotations

DIFFERENCES: list[str] = []  # of the running test, each a sentence


class Differs(AssertionError):
    """The app is not unsafe, but differs from what the README asks for."""


def expect_usual(holds: bool, sentence: str) -> None:
    """Record this sentence unless the app does what the README asks for."""
    if not holds and sentence not in DIFFERENCES:
        DIFFERENCES.append(sentence)
