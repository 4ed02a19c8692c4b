"""What a run of `check` has found: the outcomes of the specification and of the attacks, and the exit status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .accept import Entry
from .catalogue import Outcome, Verdict, letter
from .engine import AppResult
from .specification import Line, LineOutcome, Specification


@dataclass
class CheckResult:
    """The result of one run. `declared` are the declarations of the app's README, for an app of this repository."""

    url: str
    attacks: AppResult
    specification: Specification
    folder: str = ""
    declared: Mapping[str, set[str]] = field(default_factory=dict)
    accept: list[Entry] = field(default_factory=list)
    seconds: float = 0.0

    # Rows

    def bad_variants(self, row: str) -> dict[str, Outcome]:
        """Return the outcomes of a row's variants that are neither good nor declared."""
        declared = self.declared.get(row, set())
        return {
            name: outcome
            for name, outcome in self.attacks.outcomes.get(row, {}).items()
            if not outcome.verdict.is_good and (outcome.verdict is Verdict.BROKEN or not declared & {"", letter(name)})
        }

    def accepted_row(self, row: str) -> str:
        """Return the reasons for which all that a row has found is accepted; empty for a row with a finding."""
        if self.attacks.verdicts[row].verdict.is_good:
            return ""
        bad = list(self.bad_variants(row)) or [""]
        entries = [next((entry for entry in self.accept if entry.covers(row, name)), None) for name in bad]
        if None in entries:
            return ""
        return "; ".join(dict.fromkeys(entry.reason for entry in entries if entry))

    def accepted_line(self, line: Line) -> str:
        """Return the reason for which a failed line is accepted; empty for a line that is a finding."""
        if line.outcome is not LineOutcome.FAILED:
            return ""
        return next((entry.reason for entry in self.accept if not entry.row and entry.key == line.sentence), "")

    # All

    @property
    def failed_rows(self) -> list[str]:
        """The rows with a finding that is not accepted."""
        return [
            row
            for row, outcome in self.attacks.verdicts.items()
            if not outcome.verdict.is_good and not self.accepted_row(row)
        ]

    @property
    def failed_lines(self) -> list[Line]:
        """The lines of the specification that failed and are not accepted."""
        lines = self.specification.lines
        return [line for line in lines if line.outcome is LineOutcome.FAILED and not self.accepted_line(line)]

    @property
    def ended(self) -> str:
        """The sentence that says when the app ended; empty for an app that still runs."""
        return self.attacks.ended or self.specification.ended

    @property
    def unneeded(self) -> list[Entry]:
        """The entries of the accept file whose rows and lines were tried, and had no finding."""
        return [entry for entry in self.accept if self.state_of(entry) == "no longer needed"]

    def state_of(self, entry: Entry) -> str:
        """Return "needed", "no longer needed" or "not tried"."""
        if entry.row:
            outcomes = {
                name: outcome
                for name, outcome in self.attacks.outcomes.get(entry.row, {}).items()
                if entry.covers(entry.row, name)
            }
            verdict = self.attacks.verdicts.get(entry.row)
            is_broken_row = entry.variants is None and verdict is not None and not verdict.verdict.is_good
            if is_broken_row or set(outcomes) & set(self.bad_variants(entry.row)):
                return "needed"
            tried = any(outcome.verdict is not Verdict.NOT_APPLICABLE for outcome in outcomes.values())
            return "no longer needed" if tried else "not tried"
        found = {line.outcome for line in self.specification.lines if line.sentence == entry.key}
        if LineOutcome.FAILED in found:
            return "needed"
        return "no longer needed" if found - {LineOutcome.NOT_TRIED} else "not tried"

    @property
    def exit_status(self) -> int:
        """1 when there is a finding, or an accepted one that is gone; else 0."""
        found = self.failed_rows or self.failed_lines or self.unneeded or (self.ended and not self.is_end_accepted)
        return 1 if found else 0

    @property
    def is_end_accepted(self) -> bool:
        """Whether the end of the app is an accepted finding: the row or line that ended it is in the accept file."""
        crashed = [row for row, outcome in self.attacks.verdicts.items() if outcome.verdict is Verdict.CRASH]
        if self.attacks.ended:
            return bool(crashed) and all(self.accepted_row(row) for row in crashed)
        last = self.specification.lines[-1:]
        return bool(last) and bool(self.accepted_line(last[0]))

    def explanation(self, line: Line) -> str:
        """Return why a line may fail although the row that tries the same attack passes; empty where it does not."""
        outcome = self.attacks.verdicts.get(line.row)
        if line.outcome is not LineOutcome.FAILED or outcome is None or outcome.verdict is not Verdict.PASS:
            return ""
        return (
            f"{line.row} tries the same attack and is PASS: none of its variants worked. This line looks at more than "
            f"that, or the app does not always respond in the same way. To run both again: "
            f'--only "{line.row}, {line.sentence}"'
        )
