"""The table of attacks: its rows, their variants, the features that they need, and how verdicts are reached."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .browser import TimedOut, TooManyRedirects, without_queries
from .checked_app import ADA, AttackWorked, CheckedApp, Crashed, NotApplicable

Case = Callable[..., None]  # called with the checked app, and with the data of a variant where it has some

# By feature: why a row or variant that needs it does not concern an app without it.
NEEDS = {
    "iss": "its provider does not send iss",
    "several providers": "it has one provider",
    "id token": "it reads no ID token: plain OAuth 2.0",
    "return url": "it always returns to its home page",
    "linking": "it links no accounts",
    "cookie session": "its sessions are on the server, the cookie is a random number",
    "provider logout": "it does not log out at its provider",
    "plain http": "it has no switch that allows plain http",
    "oauth1": "OAuth 1.0a: none of the providers speaks it today",
    "refresh": "it uses no refresh token",
    "own process": "this cannot be done from outside: the suite has to start the app itself",
}
NO_RESPONSE = "no complete response to"
NOTHING_TRIED = "there is nothing here that this attack could change"


class Verdict(Enum):
    """The result of an attack on an app; of several variants, the verdict that is last in this list counts."""

    NOT_APPLICABLE = "N/A"
    PASS = "PASS"
    DECLARED = "DECLARED"
    BROKEN = "BROKEN"  # not the app's fault: the case itself failed, or the login without an attack after it
    HANG = "HANG"
    CRASH = "CRASH"
    FAIL = "FAIL"

    @property
    def is_good(self) -> bool:
        return self in (Verdict.NOT_APPLICABLE, Verdict.PASS, Verdict.DECLARED)


@dataclass(frozen=True)
class Outcome:
    """A verdict and its reason."""

    verdict: Verdict
    sentence: str = ""


@dataclass(frozen=True)
class Variant:
    """One way to run an attack; `name` begins with its letter, if it has one: `a absent`.

    `slow` marks a variant that waits. It runs on the verbose instance of the app: `together` with the other slow ones,
    or `alone`. One that is tried `once` is about the app as a whole, and not about each of its providers.
    """

    name: str
    run: Case
    data: Any
    needs: tuple[str, ...]
    slow: str
    once: bool = False


@dataclass
class Row:
    """One row of the table: an attack."""

    id: str
    title: str
    plain: str
    source: str
    needs: tuple[str, ...]
    variants: list[Variant] = field(default_factory=list)


ROWS: dict[str, Row] = {}
NO_VARIANTS = {"": None}  # of a row with a single case


def row(id: str, title: str, plain: str, source: str, needs: str | tuple[str, ...] = ()) -> None:
    """Add a row to the table; `variants` adds its variants."""
    ROWS[id] = Row(id, title, plain, source, (needs,) if isinstance(needs, str) else needs)


def variants(
    id: str,
    data: Mapping[str, Any] = NO_VARIANTS,
    needs: str | tuple[str, ...] = (),
    slow: str = "",
    once: bool = False,
) -> Callable[[Case], Case]:
    """Add variants to a row: the decorated function runs each, with the checked app and the variant's data."""

    def add(function: Case) -> Case:
        wanted = (needs,) if isinstance(needs, str) else needs
        for name, value in data.items():
            ROWS[id].variants.append(Variant(name, function, value, wanted, slow, once))
        return function

    return add


def try_variant(checked: CheckedApp, row: Row, variant: Variant) -> Outcome:
    """Run one variant and return its outcome. One that did nothing proves nothing: it is N/A."""

    def attack() -> None:
        for feature in (*row.needs, *variant.needs):
            if not checked.has_feature(feature):
                raise NotApplicable(checked.reason_without(feature) or NEEDS[feature])
        before = acts_of(checked)
        if variant.data is None:
            variant.run(checked)
        else:
            variant.run(checked, variant.data)
        if acts_of(checked) == before:
            raise NotApplicable(NOTHING_TRIED)

    return outcome_of(attack, checked)


def acts_of(checked: CheckedApp) -> int:
    """Return how much has been done so far at this app, at all of its providers."""
    return sum(each.acts for each in (checked, *checked.others))


def outcome_of(action: Callable[[], object], checked: CheckedApp) -> Outcome:
    """Do something to an app, and return what came of it; the sentence has no query of a URL, where a code may be."""
    outcome = _outcome_of(action, checked)
    return Outcome(outcome.verdict, without_queries(outcome.sentence))


def _outcome_of(action: Callable[[], object], checked: CheckedApp) -> Outcome:
    try:
        action()
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
    except (ConnectionResetError, HTTPException) as error:
        method, url = checked.requests[-1] if checked.requests else ("", "")
        if url.startswith(f"{checked.url}/"):
            return Outcome(Verdict.CRASH, f"{NO_RESPONSE} {method} {urlsplit(url).path}: {error}")
        return Outcome(Verdict.BROKEN, f"{type(error).__name__}: {error}")
    except Exception as error:  # an error of the case itself says nothing about the app
        return Outcome(Verdict.BROKEN, f"{type(error).__name__}: {error}")
    return Outcome(Verdict.PASS)


def control(checked: CheckedApp) -> Outcome:
    """Log in without an attack, in a new browser: the app must accept it, or a refusal before proves nothing."""
    try:
        if checked.has_faults:
            checked.clear_faults()
        browser = checked.new_browser()
        found = checked.name_after(browser, checked.log_in(browser, ADA))
    except (Crashed, TimedOut, TooManyRedirects) as error:
        return Outcome(Verdict.CRASH, without_queries(f"afterwards, a login that should work: {error}"))
    except Exception as error:
        sentence = f"afterwards, a login that should work: {type(error).__name__}: {error}"
        return Outcome(Verdict.BROKEN, without_queries(sentence))
    if found is None or not found.startswith(ADA):
        return Outcome(Verdict.FAIL, f"afterwards, a login that should work ends with {found or 'no user'} logged in")
    return Outcome(Verdict.PASS)


def judge(outcomes: Iterable[tuple[str, Outcome]], declared: set[str]) -> Outcome:
    """Return the outcome of a row, from those of its variants and from the declarations of the app's README.

    `declared` are letters of variants, or the empty text for the whole row. Declarations are strict: one of an attack
    that does not work is BROKEN.
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
        return Outcome(Verdict.BROKEN, "the README declares it, but the app passes: remove the declaration")
    same = [outcome.sentence for outcome in found if outcome.verdict == worst.verdict and outcome.sentence]
    return Outcome(worst.verdict, "; ".join(dict.fromkeys(same)))


def declared_of_tried(outcomes: Mapping[str, Outcome], declared: set[str]) -> set[str]:
    """Return the declarations of the variants that were tried; from outside, some variants cannot be tried."""
    names = [name for name, outcome in outcomes.items() if outcome.verdict is not Verdict.NOT_APPLICABLE]
    return declared & {"", *map(letter, names)} if names else set()


def letter(name: str) -> str:
    """Return the letter of a variant, from its name; the empty text when it has none."""
    first = name.partition(" ")[0]
    return first if len(first) == 1 else ""


LETTERS = re.compile(r"\b(RP-\d\d)((?: (?:and )?[a-z](?=[,).;:]| and [a-z][,).;:]),?)*)")


def declarations(folder: Path) -> dict[str, set[str]]:
    """Return the declarations under "What this app does not do" in a README: letters by row, "" for a whole row.

    A declaration is written as `(RP-33 b, e, f)` or `(RP-33)`; the number may be a link.
    """
    readme = folder / "README.md"
    text = readme.read_text("utf-8") if readme.exists() else ""
    section = re.search(r"^#+ What this app does not do$(.*?)(?=^#+ |\Z)", text, re.M | re.S)
    without_links = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", section.group(1) if section else "")  # their words stay
    found: dict[str, set[str]] = {}
    for id, letters in LETTERS.findall(" ".join(without_links.split())):
        found.setdefault(id, set()).update(re.findall(r"\b[a-z]\b", letters) or [""])
    return found
