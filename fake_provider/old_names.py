"""The warning about names of version 1.0, which still work in 1.1 and are removed in 1.2."""

from __future__ import annotations

import warnings


def warn_about(old: str, new: str) -> None:
    """Warn the code that uses the old name: the caller of the caller of this function."""
    warnings.warn(f"{old} is now {new}. The old name is removed in version 1.2.", DeprecationWarning, stacklevel=3)
