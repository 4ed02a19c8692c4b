"""The result of `check` for programs: JSON in a documented, versioned form, and JUnit XML.

The members of the JSON are explained in docs/testing-your-own-app.md. A member that is removed, or that changes its
meaning, changes VERSION; a new one does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from .catalogue import Outcome, Verdict
from .result import CheckResult
from .rows import ROWS
from .specification import LineOutcome
from .terminal import count_verdicts

VERSION = 1
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_json(result: CheckResult) -> dict[str, Any]:
    """Return the result as a dictionary for JSON."""
    facts = result.attacks.facts
    return {
        "version": VERSION,
        "url": result.url,
        "folder": result.folder or None,
        "seconds": round(result.seconds, 1),
        "exit_status": result.exit_status,
        "findings": [*(line.sentence for line in result.failed_lines), *result.failed_rows],
        "ended": result.ended or None,
        "facts": None if facts is None else facts.as_json(),
        "counts": count_verdicts(result),
        "rows": [_row(result, id, outcome) for id, outcome in result.attacks.verdicts.items()],
        "specification": {
            "not_run": result.specification.untried or None,
            "login": result.specification.login or None,
            "lines": [
                {
                    "line": line.sentence,
                    "outcome": line.outcome.value,
                    "reason": line.reason,
                    "row": line.row or None,
                    "accepted": result.accepted_line(line) or None,
                    "seconds": round(line.seconds, 2),
                }
                for line in result.specification.lines
            ],
        },
        "accept": [
            {"entry": entry.key, "reason": entry.reason, "state": result.state_of(entry)} for entry in result.accept
        ],
    }


def _row(result: CheckResult, id: str, outcome: Outcome) -> dict[str, Any]:
    row = ROWS[id]
    return {
        "id": id,
        "title": row.title,
        "explanation": row.plain,
        "source": row.source,
        "verdict": outcome.verdict.value,
        "reason": outcome.sentence,
        "accepted": result.accepted_row(id) or None,
        "variants": [
            {"name": name, "verdict": found.verdict.value, "reason": found.sentence}
            for name, found in result.attacks.outcomes.get(id, {}).items()
        ],
    }


def as_junit(result: CheckResult) -> bytes:
    """Return the result as JUnit XML: a test case for each line of the specification and each variant of a row."""
    suites = Element("testsuites", name=f"learn.py check {result.url}")
    _add_suite(suites, "specification", _line_cases(result))
    _add_suite(suites, "attacks", _row_cases(result))
    if result.accept:
        _add_suite(suites, "accepted findings", _accept_cases(result))
    for name in ("tests", "failures", "errors", "skipped"):
        suites.set(name, str(sum(int(suite.get(name, 0)) for suite in suites)))
    suites.set("time", f"{result.seconds:.3f}")
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, "utf-8", xml_declaration=True)


def _add_suite(suites: Element, name: str, cases: Iterator[Element]) -> None:
    suite = SubElement(suites, "testsuite", name=name)
    suite.extend(cases)
    for count, child in (("tests", None), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(sum(child is None or case.find(child) is not None for case in suite)))
    suite.set("time", f"{sum(float(case.get('time', 0)) for case in suite):.3f}")


def _case(group: str, name: str, seconds: float = 0.0) -> Element:
    return Element("testcase", classname=_clean(group), name=_clean(name), time=f"{seconds:.3f}")


def _add(case: Element, kind: str, message: str, more: str = "", type: str = "") -> Element:
    """Add a failure, or the reason why a case is skipped."""
    child = SubElement(case, kind, message=_clean(message))
    if type:
        child.set("type", type)
    child.text = _clean(more or message)
    return case


def _line_cases(result: CheckResult) -> Iterator[Element]:
    if result.specification.untried:
        yield _add(_case("specification", "the whole specification"), "skipped", result.specification.untried)
    for line in result.specification.lines:
        case = _case("specification", line.sentence, line.seconds)
        accepted = result.accepted_line(line)
        if accepted:
            _add(case, "skipped", f"accepted: {accepted}", line.reason)
        elif line.outcome is LineOutcome.FAILED:
            explanation = result.explanation(line)
            _add(case, "failure", line.reason, "\n".join(filter(None, [line.reason, explanation])), "failed")
        elif line.outcome is not LineOutcome.PASSED:
            _add(case, "skipped", f"{line.outcome.value}: {line.reason}")
        yield case


def _row_cases(result: CheckResult) -> Iterator[Element]:
    for id, verdict in result.attacks.verdicts.items():
        row, bad = ROWS[id], result.bad_variants(id)
        for name, outcome in (result.attacks.outcomes.get(id) or {"": verdict}).items():
            case = _case(f"attacks.{id}", f"{id} {name}: {row.title}" if name else f"{id}: {row.title}")
            accepted = next((entry.reason for entry in result.accept if entry.covers(id, name)), "")
            if outcome.verdict.is_good and outcome.verdict is not Verdict.PASS:
                _add(case, "skipped", f"{outcome.verdict.value}: {outcome.sentence}")
            elif name in bad and accepted:
                _add(case, "skipped", f"accepted: {accepted}", outcome.sentence)
            elif name in bad:
                text = f"{row.plain}\nHere: {outcome.sentence}\nSee {row.source}."
                _add(case, "failure", outcome.sentence or row.title, text, outcome.verdict.value)
            elif not outcome.verdict.is_good:
                _add(case, "skipped", f"DECLARED: {outcome.sentence}")
            yield case
        if not verdict.verdict.is_good and not bad and not result.accepted_row(id):
            yield _add(_case(f"attacks.{id}", f"{id}: {row.title}"), "failure", verdict.sentence, "", "BROKEN")


def _accept_cases(result: CheckResult) -> Iterator[Element]:
    for entry in result.accept:
        case = _case("accepted findings", entry.key)
        state = result.state_of(entry)
        if state == "no longer needed":
            _add(case, "failure", "this entry is no longer needed: its finding is gone", "", "strict")
        elif state == "not tried":
            _add(case, "skipped", "not tried in this run")
        yield case


def _clean(text: str) -> str:
    """Return the text without characters that XML cannot hold."""
    return NOT_IN_XML.sub("\ufffd", text)
