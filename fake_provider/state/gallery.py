"""The gallery as the pages see it: the apps that learn.py runs beside the provider.

`app.py` passes in an object of fake_provider.gallery, which the pages do not import: without learn.py there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class ListedApp(Protocol):
    """One app of the gallery; the templates read more of its attributes."""

    @property
    def client_id(self) -> str:
        """The id of its practice client."""


class Gallery(Protocol):
    """The apps, read again for each page."""

    def listed_apps(self) -> Sequence[ListedApp]:
        """Return the apps, each in the state that learn.py has noted."""

    def probed_apps(self) -> Sequence[ListedApp]:
        """Return the apps, each in the state in which a request finds it."""
