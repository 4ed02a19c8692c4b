"""The other side of every dance: a provider that speaks the dialects of real ones, and is none of them."""

from .server import Provider, free_port, serve

__all__ = ["Provider", "free_port", "serve"]
