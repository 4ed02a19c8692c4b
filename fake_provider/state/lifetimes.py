"""How long things are good here can be changed while the provider runs, so that nobody has to wait for an end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..protocol.dialect import Dialect

MAX_LIFETIME = 90 * 86_400.0  # seconds
NAMES = ("code", "token", "id_token", "refresh_token")


class Lifetimes:
    """The dialects, with the lifetimes that they have now; what is out already keeps its own."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self._known = {dialect.name: dialect for dialect in dialects}
        self._changed: dict[str, Dialect] = {}

    def of(self, dialect: Dialect) -> Dialect:
        """Return the dialect as it is now."""
        return self._changed.get(dialect.name, dialect)

    def change(self, name: object, seconds: Mapping[str, Any]) -> None:
        """Change lifetimes of a dialect, by the names `code`, `token`, `id_token` and `refresh_token`.

        Raises ValueError with a sentence that names what is wrong.
        """
        if name not in self._known:
            raise ValueError(f"There is no dialect {name}. Dialects: {', '.join(self._known)}.")
        for what, value in seconds.items():
            if what not in NAMES:
                raise ValueError(f"{what} has no lifetime. Known: {', '.join(NAMES)}.")
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_LIFETIME:
                raise ValueError(f"{what} has to be between 0 and {MAX_LIFETIME:.0f} seconds, but is {value!r}.")
        dialect = self.of(self._known[str(name)])
        openid = dialect.openid
        self._changed[dialect.name] = replace(
            dialect,
            code_lifetime=seconds.get("code", dialect.code_lifetime),
            token_lifetime=seconds.get("token", dialect.token_lifetime),
            refresh_token_lifetime=seconds.get("refresh_token", dialect.refresh_token_lifetime),
            openid=openid and replace(openid, lifetime=seconds.get("id_token", openid.lifetime)),
        )

    def start_over(self) -> None:
        """Go back to the lifetimes of the table."""
        self._changed.clear()
