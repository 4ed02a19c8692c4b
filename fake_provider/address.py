"""Where this provider is: at the address by which it was asked, since learners come by localhost and by 127.0.0.1."""

from __future__ import annotations

from flask import request


def our_address() -> str:
    """Return the scheme and the host of this request, without a slash at the end.

    Flask's `host_url` is the same, written for people to read, which takes longer than all the rules of a request.
    """
    return f"{request.scheme}://{request.host}"
