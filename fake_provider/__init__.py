"""A fake OAuth and OpenID Connect provider for tests: `with serve() as provider:` runs it on a free port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .launcher import RunningProvider, free_port, serve

__all__ = ["RunningProvider", "free_port", "serve"]

OLD_NAMES = {"Provider": "RunningProvider"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the provider's own process needs none, and starts in less time."""
    if name in OLD_NAMES:
        from .old_names import warn_about

        warn_about(f"fake_provider.{name}", f"fake_provider.{OLD_NAMES[name]}")
    if name in __all__ or name in OLD_NAMES:
        from . import launcher

        return getattr(launcher, OLD_NAMES.get(name, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
