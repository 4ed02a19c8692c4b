"""What a case is: a row of the table, its variants, what it needs, and how a verdict comes about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from .browser import TimedOut, TooManyRedirects
from .checked_app import ADA, AttackWorked, CheckedApp, Crashed, NotApplicable

# Why a case does not concern an app that lacks something.
NEEDS = {
    "iss": "its provider does not send iss",
    "several providers": "it has one provider",
    "id token": "it reads no ID token: plain OAuth 2.0",
    "way back": "it always returns to its home page",
    "linking": "it links no accounts",
    "cookie session": "its sessions are on the server, the cookie is a random number",
    "provider logout": "it does not log out at its provider",
    "plain http": "it has no switch that allows plain http",
    "oauth1": "OAuth 1.0a: none of the providers speaks it today",
    "refresh": "it uses no refresh token",
    "own process": "this cannot be done from outside: the suite has to start the app itself",
}


class Verdict(Enum):
    """What is said of an app and a case; a later one outweighs an earlier one."""

    NOT_APPLICABLE = "N/A"
    PASS = "PASS"
    DECLARED = "DECLARED"
    HANG = "HANG"
    CRASH = "CRASH"
    FAIL = "FAIL"
    BROKEN = "BROKEN"  # not the app's fault: the case itself does not work, or its control

    @property
    def is_good(self) -> bool:
        return self in (Verdict.NOT_APPLICABLE, Verdict.PASS, Verdict.DECLARED)


@dataclass(frozen=True)
class Outcome:
    """A verdict and the sentence behind it."""

    verdict: Verdict
    sentence: str = ""


@dataclass(frozen=True)
class Variant:
    """One way to do it; `name` begins with its letter, if it has one: `a absent`.

    `slow` is for those that wait: they run `together`, on an instance of the app of their own, or there `alone`.
    """

    name: str
    run: Callable[..., None]
    data: Any
    needs: tuple[str, ...]
    slow: str


@dataclass
class Row:
    """One row of the table."""

    id: str
    title: str
    plain: str
    source: str
    needs: tuple[str, ...]
    variants: list[Variant] = field(default_factory=list)


ROWS: dict[str, Row] = {}
ONE = {"": None}  # of a case without variants


def row(id: str, title: str, plain: str, source: str, needs: str | tuple[str, ...] = ()) -> None:
    """Add a row to the table; its variants follow by `variants`."""
    ROWS[id] = Row(id, title, plain, source, (needs,) if isinstance(needs, str) else needs)


def variants(id: str, data: Mapping[str, Any] = ONE, needs: str | tuple[str, ...] = (), slow: str = ""):
    """Make a function the way to run these variants of a row: it is called with the bench and a variant's data."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        wanted = (needs,) if isinstance(needs, str) else needs
        for name, value in data.items():
            ROWS[id].variants.append(Variant(name, function, value, wanted, slow))
        return function

    return add


def try_variant(bench: CheckedApp, row: Row, variant: Variant) -> Outcome:
    """Run one variant and judge it."""
    try:
        for feature in (*row.needs, *variant.needs):
            if not bench.has(feature):
                return Outcome(Verdict.NOT_APPLICABLE, NEEDS[feature])
        if variant.data is None:
            variant.run(bench)
        else:
            variant.run(bench, variant.data)
    except AttackWorked as error:
        return Outcome(Verdict.FAIL, str(error))
    except Crashed as error:
        return Outcome(Verdict.CRASH, str(error))
    except TooManyRedirects as error:
        return Outcome(Verdict.FAIL, str(error))
    except TimedOut as error:
        return Outcome(Verdict.HANG, str(error))
    except NotApplicable as error:
        return Outcome(Verdict.NOT_APPLICABLE, str(error))
    except Exception as error:  # a case that breaks is no verdict on the app
        return Outcome(Verdict.BROKEN, f"{type(error).__name__}: {error}")
    return Outcome(Verdict.PASS)


def control(bench: CheckedApp) -> Outcome:
    """The same machinery without a fault: somebody new logs in, and is who they are."""
    try:
        bench.clear_faults()
        browser = bench.new_browser()
        bench.log_in(browser, ADA)
        found = bench.who(browser)
    except (Crashed, TimedOut, TooManyRedirects) as error:
        return Outcome(Verdict.CRASH, f"afterwards, a login that should work: {error}")
    except Exception as error:
        return Outcome(Verdict.BROKEN, f"afterwards, a login that should work: {type(error).__name__}: {error}")
    if found is None or not found.startswith(ADA):
        return Outcome(Verdict.FAIL, f"afterwards, a login that should work ends as {found or 'nobody'}")
    return Outcome(Verdict.PASS)


def judge(outcomes: Iterable[tuple[str, Outcome]], declared: set[str]) -> Outcome:
    """Make the verdict of a row from those of its variants, and from what the app's README declares.

    `declared` are letters, or the empty text for the whole row. What is declared has to be so: it is strict.
    """
    found: list[Outcome] = []
    for name, outcome in outcomes:
        if outcome.verdict in (Verdict.FAIL, Verdict.CRASH, Verdict.HANG) and declared & {"", letter(name)}:
            outcome = Outcome(Verdict.DECLARED, f"{name}: {outcome.sentence}")
        elif not outcome.verdict.is_good:
            outcome = Outcome(outcome.verdict, f"{name}: {outcome.sentence}" if name else outcome.sentence)
        found.append(outcome)
    order = list(Verdict)
    worst = max(found, key=lambda outcome: order.index(outcome.verdict), default=Outcome(Verdict.BROKEN, "no variants"))
    if declared and worst.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE):
        return Outcome(Verdict.BROKEN, "declared in the README, and yet it passes: take the declaration out")
    same = [outcome.sentence for outcome in found if outcome.verdict == worst.verdict and outcome.sentence]
    return Outcome(worst.verdict, "; ".join(dict.fromkeys(same)))


def tried(outcomes: Mapping[str, Outcome], declared: set[str]) -> set[str]:
    """Return what is declared of the variants that were tried: from outside some are not, and prove nothing."""
    names = [name for name, outcome in outcomes.items() if outcome.verdict is not Verdict.NOT_APPLICABLE]
    return declared & {"", *map(letter, names)} if names else set()


def letter(name: str) -> str:
    """The letter of a variant, from its name; empty when it has none."""
    first = name.partition(" ")[0]
    return first if len(first) == 1 else ""


LETTERS = re.compile(r"\b(RP-\d\d)((?: (?:and )?[a-z](?=[,).;:]| and [a-z][,).;:]),?)*)")


def declarations(folder: Path) -> dict[str, set[str]]:
    """Return what a README declares under "What this app does not do": letters by row, "" for a whole row.

    It is written as `(RP-33 b, e, f)` or `(RP-33)`; the number may be a link.
    """
    readme = folder / "README.md"
    text = readme.read_text("utf-8") if readme.exists() else ""
    section = re.search(r"^#+ What this app does not do$(.*?)(?=^#+ |\Z)", text, re.M | re.S)
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", section.group(1) if section else "")  # links as their words
    found: dict[str, set[str]] = {}
    for id, letters in LETTERS.findall(" ".join(plain.split())):
        found.setdefault(id, set()).update(re.findall(r"\b[a-z]\b", letters) or [""])
    return found
