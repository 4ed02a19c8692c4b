"""The rules for cookies, as browsers have them (RFC 6265): expiry, paths and domains."""

from __future__ import annotations

import ipaddress
import re
import time
from datetime import UTC, datetime

DELIMITERS = re.compile(r"[\t\x20-\x2F\x3B-\x40\x5B-\x60\x7B-\x7E]+")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def is_deleted(flags: dict[str, str]) -> bool:
    """Tell whether a Set-Cookie line with these attributes deletes the cookie: Max-Age counts more than Expires."""
    max_age = flags.get("max-age", "")
    if re.fullmatch(r"-?\d+", max_age):
        return int(max_age) <= 0
    expires = time_of(flags.get("expires", ""))
    return expires is not None and expires <= time.time()


def time_of(text: str) -> float | None:
    """Return the seconds since 1970 of a date in any form that browsers read (RFC 6265 section 5.1.1), or None."""
    clock = day = month = year = None
    for token in filter(None, DELIMITERS.split(text)):
        if clock is None and (found := re.match(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(\D|$)", token)):
            clock = tuple(int(part) for part in found.groups()[:3])
        elif day is None and (found := re.match(r"(\d{1,2})(\D|$)", token)):
            day = int(found.group(1))
        elif month is None and token[:3].lower() in MONTHS:
            month = MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := re.match(r"(\d{2,4})(\D|$)", token)):
            year = int(found.group(1))
            year += 1900 if 70 <= year <= 99 else 2000 if year <= 69 else 0
    if clock is not None and day is not None and month is not None and year is not None:
        try:
            return datetime(year, month, day, *clock, tzinfo=UTC).timestamp()
        except (ValueError, OverflowError):
            return None
    return None


def path_of(flags: dict[str, str], request_path: str) -> str:
    """Return the path of a cookie; without a valid one, that of the request without its last part."""
    path = flags.get("path", "")
    return path if path.startswith("/") else request_path.rpartition("/")[0] or "/"


def matches_path(request_path: str, path: str) -> bool:
    """Tell whether a cookie with this path is sent with a request to the other (RFC 6265 section 5.1.4)."""
    if not path.startswith("/") or request_path == path:
        return True
    return request_path.startswith(path if path.endswith("/") else f"{path}/")


def matches_domain(host: str, domain: str) -> bool:
    """Tell whether a cookie with this domain is sent to the host (RFC 6265 section 5.1.3)."""
    domain = domain.lower().removeprefix(".")
    host = host.lower()
    return bool(domain) and (host == domain or (host.endswith(f".{domain}") and not _is_ip(host)))


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name or IP address; browsers then treat http as secure."""
    host = host.lower().strip("[]").rstrip(".")
    return (
        host == "localhost" or host.endswith(".localhost") or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)
    )


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
