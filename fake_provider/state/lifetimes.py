"""Lifetimes of codes and tokens, which can be changed while the provider runs: an app's test need not wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..protocol.dialect import Dialect

MAX_LIFETIME = 90 * 86_400.0  # seconds
NAMES = ("code", "token", "id_token", "refresh_token")


class Lifetimes:
    """The dialects with their current lifetimes. A code or token that was issued before a change keeps its lifetime."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self._known = {dialect.name: dialect for dialect in dialects}
        self._changed: dict[str, Dialect] = {}

    def current(self, dialect: Dialect) -> Dialect:
        """Return the dialect with its current lifetimes."""
        return self._changed.get(dialect.name, dialect)

    def change(self, name: object, seconds: Mapping[str, Any]) -> None:
        """Change lifetimes of a dialect, by the names `code`, `token`, `id_token` and `refresh_token`.

        Raises ValueError with a sentence that names the mistake.
        """
        if name not in self._known:
            raise ValueError(f"There is no dialect {name}. Dialects: {', '.join(self._known)}.")
        for kind, value in seconds.items():
            if kind not in NAMES:
                raise ValueError(f"{kind} has no lifetime. Known: {', '.join(NAMES)}.")
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_LIFETIME:
                raise ValueError(f"{kind} has to be between 0 and {MAX_LIFETIME:.0f} seconds, but is {value!r}.")
        dialect = self.current(self._known[str(name)])
        openid = dialect.openid
        self._changed[dialect.name] = replace(
            dialect,
            code_lifetime=seconds.get("code", dialect.code_lifetime),
            token_lifetime=seconds.get("token", dialect.token_lifetime),
            refresh_token_lifetime=seconds.get("refresh_token", dialect.refresh_token_lifetime),
            openid=openid and replace(openid, lifetime=seconds.get("id_token", openid.lifetime)),
        )

    def start_over(self) -> None:
        """Restore the lifetimes of the table of dialects."""
        self._changed.clear()
