"""The state of the provider while it runs: one object that has all stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..dialects.table import DIALECTS, PRACTICE_CLIENTS
from ..faults.active_faults import ActiveFaults
from ..protocol.clients import ClientRegistry
from ..protocol.consents import Consents
from ..protocol.grants import Grants
from ..protocol.signing_keys import KeyRings
from ..trace.pinned_logins import PinnedLogins
from ..trace.recorder import Trace
from .accounts import Accounts
from .classroom import Classroom
from .gallery import Gallery
from .lifetimes import Lifetimes

MAX_MESSAGES_IN_CLASS = 12_000
MAX_PINNED_IN_CLASS = 2_000  # logins


@dataclass
class State:
    """All stores of the provider.

    `gallery` has the apps that learn.py runs, if it runs any; `classroom` is set when a class shares the provider.
    """

    clients: ClientRegistry
    gallery: Gallery | None = None
    classroom: Classroom | None = None
    accounts: Accounts = field(default_factory=Accounts)
    grants: Grants = field(default_factory=Grants)
    consents: Consents = field(default_factory=Consents)
    trace: Trace = field(default_factory=Trace)
    pinned_logins: PinnedLogins = field(default_factory=PinnedLogins)
    faults: ActiveFaults = field(default_factory=ActiveFaults)
    keys: KeyRings = field(default_factory=lambda: KeyRings(DIALECTS))
    lifetimes: Lifetimes = field(default_factory=lambda: Lifetimes(DIALECTS))

    @classmethod
    def make(cls, clients_file: Path | None = None, classroom: Classroom | None = None) -> State:
        """Return a new state, with the registered clients of the file."""
        clients = ClientRegistry(PRACTICE_CLIENTS, clients_file, is_shared=classroom is not None)
        if classroom is None:
            return cls(clients)
        return cls(
            clients,
            classroom=classroom,
            trace=Trace(MAX_MESSAGES_IN_CLASS),
            pinned_logins=PinnedLogins(MAX_PINNED_IN_CLASS),
        )

    def start_over(self) -> None:
        """Clear logins, consents, faults, the trace, the people who were added, new keys and lifetimes.

        Registered apps stay.
        """
        self.accounts.clear()
        self.faults.clear()
        self.grants.clear()
        self.consents.clear()
        self.trace.clear()
        self.pinned_logins.clear()
        self.keys.start_over()
        self.lifetimes.start_over()
