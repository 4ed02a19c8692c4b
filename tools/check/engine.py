"""The engine of the attacks: it is started once, and runs any rows or variants on any app.

    with Engine(where) as engine:
        result = engine.attack("step3_login", parse_selection("RP-04,RP-68 a b"))

It uses no test framework: the tests of this repository, `learn.py check` and the workshop call it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_provider import RunningProvider
from tools.places import ROOT

from . import matrix
from .catalogue import Outcome, Verdict, declarations, declared_of_tried, judge
from .checked_app import CheckedApp
from .relay import Collector
from .selection import Selection

OnOutcome = Callable[[str, str, Outcome], None]  # called with the row, the variant and its outcome, as they come


@dataclass
class AppResult:
    """The outcomes of the attacks on one app: of each variant, and of each row with the declarations of its README."""

    outcomes: dict[str, dict[str, Outcome]] = field(default_factory=dict)  # by row and variant
    verdicts: dict[str, Outcome] = field(default_factory=dict)  # by row
    facts: Any = None  # an AppFacts, if the facts about the app were found
    ended: str | None = None  # the sentence with the request that ended the app


class Engine:
    """Providers and apps that stay ready. `lanes` attacks run at once, each with a provider of its own."""

    def __init__(self, where: Path, *, lanes: int = 2, provider: RunningProvider | None = None) -> None:
        self.where = where
        self.lanes = lanes
        self.provider = provider
        self._stack = ExitStack()
        self._number = 0

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def attack(
        self,
        folder: str,
        selection: Selection,
        *,
        source: Path = ROOT,
        providers: list[str | None] | None = None,
        on_outcome: OnOutcome = lambda *_: None,
    ) -> AppResult:
        """Start the app of a folder below `source`, and attack its logins at these providers, or at all."""
        names = providers or matrix._provider_names(folder)
        self._number += 1
        with ExitStack() as stack:
            started = matrix.Providers(stack, 1)
            found = matrix._attack_folder(folder, names, selection, self.where / str(self._number), started, source)
        return self._result(selection, found, declarations(source / folder), on_outcome)

    def attack_url(
        self,
        url: str,
        selection: Selection,
        facts: Any = None,
        declared: Mapping[str, set[str]] | None = None,
        *,
        on_outcome: OnOutcome = lambda *_: None,
    ) -> AppResult:
        """Attack a running app of which only the URL is known; `provider` is the one that it logs in with."""
        assert self.provider is not None, "attack_url needs the provider of the app"
        checked = CheckedApp(url, self.provider, collector=Collector())
        return self._result(selection, [matrix.attack(checked, selection)], declared or {}, on_outcome)

    def _result(
        self,
        selection: Selection,
        found: list[dict[str, dict[str, Outcome]]],
        declared: Mapping[str, set[str]],
        on_outcome: OnOutcome,
    ) -> AppResult:
        outside = Outcome(Verdict.NOT_APPLICABLE, matrix.NEEDS["own process"])
        result = AppResult()
        for id in selection:
            outcomes = {name: outcome for one in found for name, outcome in one.get(id, {}).items()} or {"": outside}
            for name, outcome in outcomes.items():
                on_outcome(id, name, outcome)
            result.outcomes[id] = outcomes
            result.verdicts[id] = judge(outcomes.items(), declared_of_tried(outcomes, set(declared.get(id, ()))))
        return result
