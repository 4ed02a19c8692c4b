"""Host names and IP addresses as a URL has them."""

from __future__ import annotations


def host_in_url(host: str) -> str:
    """Return a host as it stands in a URL, where an IPv6 address needs brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if ":" in host else host
