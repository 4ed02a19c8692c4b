"""The other side of every dance: a provider that speaks the dialects of real ones, and is none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .launcher import RunningProvider, free_port, serve

__all__ = ["RunningProvider", "free_port", "serve"]


def __getattr__(name: str) -> Any:
    """Import what tests need when they ask for it: the provider itself starts sooner, and smaller, without it."""
    if name in __all__:
        from . import launcher as server

        return getattr(server, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
