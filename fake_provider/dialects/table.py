"""The table of all dialects, in the order in which the pages list them.

To add a provider, add its file to this folder and its name to MODULES. No other module has to change.
"""

from __future__ import annotations

from ..protocol.clients import Client
from ..protocol.dialect import Dialect
from . import facebook, github, google, okta, simplelogin, x

MODULES = (simplelogin, facebook, github, google, x, okta)

DIALECTS: tuple[Dialect, ...] = tuple(module.DIALECT for module in MODULES)

BY_NAME: dict[str, Dialect] = {dialect.name: dialect for dialect in DIALECTS}

PRACTICE_CLIENTS: tuple[Client, ...] = tuple(client for module in MODULES for client in module.PRACTICE_CLIENTS)


def endpoint_names() -> dict[str, tuple[str, ...]]:
    """Return the names of the endpoints of each dialect, as trace and faults use them, by the dialect's name."""
    return {dialect.name: _endpoint_names(dialect) for dialect in DIALECTS}


def _endpoint_names(dialect: Dialect) -> tuple[str, ...]:
    more = (("revocation", dialect.revocation_paths), ("logout", dialect.logout_paths))
    return ("authorization", "token", *dialect.resources, *(name for name, paths in more if paths))
