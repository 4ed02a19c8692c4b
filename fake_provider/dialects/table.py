"""All providers, in the order in which the pages list them. To add one, add its module and name it here."""

from __future__ import annotations

from ..protocol.clients import Client
from ..protocol.dialect import Dialect
from . import facebook, github, google, okta, simplelogin, x

_MODULES = (simplelogin, facebook, github, google, x, okta)

DIALECTS: tuple[Dialect, ...] = tuple(module.DIALECT for module in _MODULES)

BY_NAME: dict[str, Dialect] = {dialect.name: dialect for dialect in DIALECTS}

PRACTICE_CLIENTS: tuple[Client, ...] = tuple(client for module in _MODULES for client in module.PRACTICE_CLIENTS)
