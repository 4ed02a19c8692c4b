"""How the certificate of an https app is verified."""

from __future__ import annotations

import ssl
from functools import cache

from .cookies import is_loopback

ACCEPTED = "its certificate was not verified, because the app is on this machine"
VERIFIED = "its certificate was verified"


@cache
def tls_context(host: str, certificate: str | None = None) -> ssl.SSLContext:
    """Return the settings of a TLS connection to this host.

    A developer's own certificate cannot be verified, so one of this machine is accepted as it is. With `certificate`, a
    file that contains it or the authority that signed it, it is verified there as well.
    """
    context = ssl.create_default_context(cafile=certificate)
    if certificate is None and is_loopback(host):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def how_verified(host: str, certificate: str | None = None) -> str:
    """Return the sentence that says how the certificate of this host was treated."""
    return ACCEPTED if certificate is None and is_loopback(host) else VERIFIED
