"""Faults: changes that tests, notebooks and learners make to a response of the provider, and their catalogue."""

from __future__ import annotations

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    """Return Fault by the name of its module in version 1.0, which is removed in version 1.2."""
    if name != "Fault":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .fault import Fault

    old, new = "fake_provider.faults.Fault", "fake_provider.faults.fault.Fault"
    warnings.warn(f"{old} is now {new}. The old name is removed in version 1.2.", DeprecationWarning, stacklevel=2)
    return Fault
