"""The result of `check` as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from .catalogue import Outcome, Verdict
from .facts import AppFacts
from .result import CheckResult
from .rows import ROWS
from .specification import Line, LineOutcome

INDENT = " " * 9
MAX_REASON = 500  # characters


def lines(result: CheckResult) -> list[str]:
    """Return the lines of a result; those of the facts were printed before."""
    found = [line for part in (_specification, _attacks, _summary) for line in part(result)]
    return [_printable(line) for line in found]


def facts_lines(facts: AppFacts) -> list[str]:
    """Return what was found out about the app."""
    return ["What this app is:", *(f"  {_printable(line)}" for line in facts.lines()), ""]


def _specification(result: CheckResult) -> Iterator[str]:
    found = result.specification
    if found.lines:
        yield f"\nWhat every app must do{f', tried by {found.login!r}' if found.login else ''}:"
    by_outcome: dict[LineOutcome, list[Line]] = {outcome: [] for outcome in LineOutcome}
    for line in found.lines:
        by_outcome[line.outcome].append(line)
    yield from (f"passed   {line.sentence}" for line in by_outcome[LineOutcome.PASSED])
    for line in by_outcome[LineOutcome.FAILED]:
        accepted = result.accepted_line(line)
        yield f"{'accepted' if accepted else 'failed':<9}{line.sentence}"
        yield f"{INDENT}Here: {line.reason[:MAX_REASON]}"
        if accepted:
            yield f"{INDENT}Accepted: {accepted}"
        elif explanation := result.explanation(line):
            yield INDENT + explanation
    for outcome in (LineOutcome.DIFFERS, LineOutcome.NOT_TRIED):
        for reason, sentences in _by_reason(by_outcome[outcome]).items():
            yield f"{outcome.value:<8} {reason[:MAX_REASON]}"
            yield f"{INDENT}In {_count(len(sentences), 'line')}: {', '.join(sentences)}"
    if by_outcome[LineOutcome.DIFFERS]:
        yield f"{INDENT}What differs is not unsafe, and does not count as a finding."
    if found.untried:
        yield f"\nThe specification was not run{' to its end' if found.lines else ''}: {found.untried}"


def _by_reason(lines: list[Line]) -> dict[str, list[str]]:
    """Return the sentences of lines by each of the reasons, the most frequent one first."""
    found: dict[str, list[str]] = {}
    for line in lines:
        for reason in line.reason.split("; "):
            found.setdefault(reason, []).append(line.sentence)
    return dict(sorted(found.items(), key=lambda pair: -len(pair[1])))


def _attacks(result: CheckResult) -> Iterator[str]:
    if result.attacks.verdicts:
        yield "\nThe attacks:"
    reasons: dict[str, list[str]] = {}
    for id, outcome in result.attacks.verdicts.items():
        row = ROWS[id]
        if outcome.verdict is Verdict.NOT_APPLICABLE:
            reasons.setdefault(outcome.sentence, []).append(id)
            continue
        accepted = result.accepted_row(id)
        yield f"{'accepted' if accepted else outcome.verdict.value:<9}{id}  {row.title}"
        if not outcome.verdict.is_good:
            yield INDENT + row.plain
            yield f"{INDENT}Here: {_sentence(outcome)}"
            yield f"{INDENT}Accepted: {accepted}" if accepted else f"{INDENT}See {row.source}."
    for reason, ids in reasons.items():
        yield f"{'N/A':<9}{', '.join(ids)}: {reason}"


def _sentence(outcome: Outcome) -> str:
    return outcome.sentence[:MAX_REASON] or "the attack worked"


def _summary(result: CheckResult) -> Iterator[str]:
    counts = count_verdicts(result)
    if counts:
        yield f"\n{', '.join(f'{number} {verdict}' for verdict, number in counts.items())}"
    if result.ended:
        yield f"The app has ended: {result.ended}"
    for entry in result.unneeded:
        yield f'"{entry.key}" in the accept file is no longer needed: its finding is gone. Remove the entry.'
    names = [*(line.sentence for line in result.failed_lines), *result.failed_rows]
    if names:
        yield f"{_count(len(names), 'finding')}: {', '.join(names)}"
    elif result.exit_status == 0:
        yield "No findings."


def count_verdicts(result: CheckResult) -> dict[str, int]:
    """Return how many rows have each verdict, without those that none has."""
    verdicts = [outcome.verdict for outcome in result.attacks.verdicts.values()]
    return {verdict.value: verdicts.count(verdict) for verdict in Verdict if verdict in verdicts}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _printable(line: str) -> str:
    """Return the line with control characters escaped: what an app sends could change the terminal."""
    return "".join(
        character if character.isprintable() or character == "\n" else character.encode("unicode_escape").decode()
        for character in line
    )
