"""Runs the attacks on the apps: each app is started once and attacked in a thread of its own, several at once."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

from dotenv import dotenv_values

from fake_provider import RunningProvider, serve
from tools.check.apps import FACTS, App, find_logins, prepare
from tools.places import ROOT

from . import (  # noqa: F401 - they add the rows of the table
    cases_id_token,
    cases_request,
    cases_responses,
    cases_session,
)
from .browser import TimedOut
from .catalogue import (
    NEEDS,
    ROWS,
    Outcome,
    Row,
    Variant,
    Verdict,
    control,
    declarations,
    declared_of_tried,
    judge,
    try_variant,
)
from .checked_app import CheckedApp, Crashed, LoginFailed, start
from .relay import Collector, Relay

for _id in sorted(ROWS):
    ROWS[_id] = ROWS.pop(_id)  # in the order of their numbers

MAX_FOLDERS_AT_ONCE = 3  # each keeps its app and its provider busy as well
ODD_SECRET = "a:b%c+d é&e=ü\"'"

# The `sitecustomize` of two further instances of an app. The verbose one logs at level DEBUG, and its clock is ahead by
# the seconds in the file "clock" of its folder, so that a case can test expiry without waiting. The other one has
# predictable random numbers. The process that the instances are forked from has no file "clock".
VERBOSE = """
import datetime, logging, pathlib, time
logging.basicConfig(level=logging.DEBUG)
clock = pathlib.Path("clock")
real_time = time.time
def ahead():
    return float(clock.read_text() or 0) if clock.exists() else 0.0
class Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=ahead())
    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)
time.time = lambda: real_time() + ahead()
datetime.datetime = Datetime
"""
PREDICTABLE = """
import random
random.Random.random = lambda self: 0.5
random.Random.getrandbits = lambda self, bits: 0
for name in ("random", "getrandbits", "randbytes", "randint", "randrange", "choice", "choices", "sample", "uniform"):
    setattr(random, name, getattr(random._inst, name))
"""

Result = dict[tuple[str, str], Outcome]  # by row and folder
Found = dict[str, dict[str, Outcome]]  # by row and variant


class AttackedFolder:
    """The running instances of one app, with a CheckedApp for each of its providers.

    The slow cases run on the verbose instance, with a provider that the folders share.
    """

    def __init__(self, folder: str, where: Path, shared_provider: RunningProvider, source: Path = ROOT) -> None:
        self.folder = folder
        self.where = where
        self.shared_provider = shared_provider
        self.source = source
        self.checked_apps: list[CheckedApp] = []
        self.slow_checked_apps: list[CheckedApp] = []

    def start(
        self, stack: ExitStack, provider: RunningProvider, names: Iterable[str | None], rows: Collection[str]
    ) -> None:
        """Start the app, and the other instances of it that these rows need."""
        relay, collector = Relay(provider.port), Collector()
        stack.callback(relay.stop)
        stack.callback(collector.stop)
        app = self._prepare(relay, "app")
        public = verbose = None
        instances = [app]
        if any(variant.slow for id in rows for variant in ROWS[id].variants):
            slow_relay = Relay(self.shared_provider.port)
            stack.callback(slow_relay.stop)
            verbose = self._prepare(slow_relay, "verbose", VERBOSE)
            clock = verbose.home / "clock"
            clock.write_text("0", "utf-8")
            instances.append(verbose)
        if not {"RP-02", "RP-35", "RP-58"}.isdisjoint(rows):
            public = self._prepare(relay, "public", PREDICTABLE)
            public.environment.update(URL="https://app.example.com", SECRET_KEY="k" * 40)
            public.environment.update(
                {name: ODD_SECRET for name in dotenv_values(public.home / ".env.example") if name.endswith("_SECRET")}
            )
            instances.append(public)
        for instance in instances:
            stack.callback(instance.stop)
        with ThreadPoolExecutor(len(instances)) as pool:
            list(pool.map(start, instances))
        for name in names:
            checked = CheckedApp(
                app.url, provider, self.folder, name or "", app, relay, collector, public=public, verbose=verbose
            )
            self.checked_apps.append(checked)
            if verbose is not None:
                slow = replace(
                    checked, url=verbose.url, provider=self.shared_provider, app=verbose, relay=slow_relay, clock=clock
                )
                self.slow_checked_apps.append(slow)
        for checked_apps in (self.checked_apps, self.slow_checked_apps):
            for checked in checked_apps:
                checked.others = [other for other in checked_apps if other is not checked]

    def _prepare(self, relay: Relay, name: str, customize: str = "") -> App:
        app = prepare(self.folder, relay, self.where / name, source=self.source)
        if customize:
            folder = self.where / f"{name}-site"
            folder.mkdir(parents=True)
            (folder / "sitecustomize.py").write_text(customize, "utf-8")
            app.environment["PYTHONPATH"] = str(folder)
        return app


def attack(checked: CheckedApp, rows: Collection[str]) -> dict[str, dict[str, Outcome]]:
    """Run the variants that are not slow, one after the other, since each changes the provider's next response."""
    found: dict[str, dict[str, Outcome]] = {}
    for row in ROWS.values():
        chosen = [variant for variant in row.variants if not variant.slow]
        if row.id not in rows or not chosen:
            continue
        found[row.id] = {variant.name: try_variant(checked, row, variant) for variant in chosen}
        if any(outcome.verdict is not Verdict.NOT_APPLICABLE for outcome in found[row.id].values()):
            login = control(checked)
            if login.verdict is not Verdict.PASS:
                found[row.id]["control"] = login
    return found


def attack_slowly(checked_apps: Collection[CheckedApp], rows: Collection[str]) -> list[dict[str, dict[str, Outcome]]]:
    """Run the slow variants: those marked `together` all at once, then those marked `alone` one after the other."""
    found: list[dict[str, dict[str, Outcome]]] = []
    for mode in ("together", "alone"):
        chosen: list[tuple[CheckedApp, Row, Variant]] = [
            (checked, row, variant)
            for checked in checked_apps
            for row in ROWS.values()
            if row.id in rows
            for variant in row.variants
            if variant.slow == mode
        ]
        with ThreadPoolExecutor(max(1, len(chosen)) if mode == "together" else 1) as pool:
            outcomes = pool.map(lambda case: try_variant(*case), chosen)
            for (_, row, variant), outcome in zip(chosen, outcomes, strict=True):
                found.append({row.id: {variant.name: outcome}})
    return found


class Providers:
    """One provider for all slow cases, and several others, each for one folder at a time."""

    def __init__(self, stack: ExitStack, number: int) -> None:
        with ThreadPoolExecutor() as pool:
            self.shared, *others = pool.map(lambda _: stack.enter_context(serve()), range(number + 1))
        self._free: SimpleQueue[RunningProvider] = SimpleQueue()
        for provider in others:
            self._free.put(provider)

    @contextmanager
    def exclusive(self) -> Iterator[RunningProvider]:
        """Give a provider that no other folder uses, reset to its first state."""
        provider = self._free.get()
        try:
            provider.reset()
            yield provider
        finally:
            self._free.put(provider)


def run(wanted: dict[str, Collection[str]], where: Path) -> Result:
    """Attack each login of each folder with the rows of the folder, and return the outcomes."""
    logins = [(folder, name) for folder in wanted for name in _provider_names(folder)]
    with ExitStack() as stack, ThreadPoolExecutor(MAX_FOLDERS_AT_ONCE) as pool:
        providers = Providers(stack, min(MAX_FOLDERS_AT_ONCE, len(logins)))

        def run_one(login: tuple[str, str | None]) -> list[Found]:
            folder, name = login
            return _attack_folder(folder, [name], wanted[folder], where / folder / (name or ""), providers, ROOT)

        found = dict(zip(logins, pool.map(run_one, logins), strict=True))
    result: Result = {}
    for folder, rows in wanted.items():
        result |= _judge_folder(folder, rows, [found[folder, name] for name in _provider_names(folder)], ROOT)
    return result


def _provider_names(folder: str) -> list[str | None]:
    return list(FACTS.get(folder, {}).get("providers", [None]))


def _attack_folder(
    folder: str, names: list[str | None], rows: Collection[str], where: Path, providers: Providers, source: Path
) -> list[Found]:
    """Start the app of this folder, and attack its logins with the providers of these names."""
    with providers.exclusive() as provider, ExitStack() as stack:
        attacked = AttackedFolder(folder, where, providers.shared, source)
        attacked.start(stack, provider, _provider_names(folder), rows)
        quick, slow = (
            [checked for checked in checked_apps if (checked.provider_name or None) in names]
            for checked_apps in (attacked.checked_apps, attacked.slow_checked_apps)
        )
        for checked in slow:
            with suppress(Exception):  # the case that needs the facts reports the error
                checked.request_parameters, checked.response_parameters, checked.successful_login  # noqa: B018 - facts, before the cases run at once
        with ThreadPoolExecutor(1) as pool:
            slowly = pool.submit(attack_slowly, slow, rows)
            return [*(attack(checked, rows) for checked in quick), *slowly.result()]


def _judge_folder(folder: str, rows: Collection[str], logins: list[list[Found]], source: Path) -> Result:
    declared = declarations(source / folder)
    result: Result = {}
    for id in rows:
        outcomes = [pair for found in logins for one in found for pair in one.get(id, {}).items()]
        result[id, folder] = judge(outcomes, declared.get(id, set()))
    return result


def run_copies(copies: dict[str, tuple[str, Path, Collection[str]]], where: Path) -> dict[str, dict[str, Outcome]]:
    """Attack copies of apps, each given by its folder, the folder above and the rows; return outcomes by row."""
    with ExitStack() as stack, ThreadPoolExecutor(MAX_FOLDERS_AT_ONCE) as pool:
        providers = Providers(stack, MAX_FOLDERS_AT_ONCE)

        def run_one(name: str) -> dict[str, Outcome]:
            folder, source, rows = copies[name]
            found = _attack_folder(folder, _provider_names(folder), rows, where / name, providers, source)
            return {id: outcome for (id, _), outcome in _judge_folder(folder, rows, [found], source).items()}

        return dict(zip(copies, pool.map(run_one, copies), strict=True))


def attack_from_outside(checked: CheckedApp, rows: Collection[str], declared: Mapping[str, set[str]]) -> Result:
    """Attack a running app of which only the URL is known, and the declarations of its README if there is one."""
    outside = Outcome(Verdict.NOT_APPLICABLE, NEEDS["own process"])
    try:
        checked.successful_login  # noqa: B018 - raises LoginFailed where no login works
    except (LoginFailed, Crashed, TimedOut) as error:
        untried = Outcome(Verdict.NOT_APPLICABLE, "no login works: see RP-01")
        return {(id, checked.url): untried for id in rows} | {("RP-01", checked.url): Outcome(Verdict.FAIL, str(error))}
    found = attack(checked, rows)
    result: Result = {}
    for id in rows:
        outcomes = found.get(id, {"": outside})
        result[id, checked.url] = judge(outcomes.items(), declared_of_tried(outcomes, declared.get(id, set())))
    return result


@contextmanager
def all_checked_apps(where: Path) -> Iterator[list[CheckedApp]]:
    """Start every app once, all with one provider, and give a CheckedApp for each login."""
    with ExitStack() as stack:
        provider = stack.enter_context(serve())
        apps: dict[str, tuple[App, Relay]] = {}
        for folder in folders():
            relay = Relay(provider.port)
            stack.callback(relay.stop)
            apps[folder] = prepare(folder, relay, where / folder.replace("/", "-")), relay
            stack.callback(apps[folder][0].stop)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda pair: start(pair[0]), apps.values()))
        checked_apps = [
            CheckedApp(apps[folder][0].url, provider, folder, name or "", apps[folder][0], apps[folder][1], Collector())
            for folder, name in find_logins()
        ]
        for checked in checked_apps:
            checked.others = [
                other for other in checked_apps if other.folder == checked.folder and other is not checked
            ]
        yield checked_apps


def folders() -> list[str]:
    """Return the folders of all login apps."""
    return list(dict.fromkeys(folder for folder, _ in find_logins()))


def main(arguments: list[str]) -> None:
    """Attack the folders with the rows that the arguments name, or all, and print the outcomes that are not PASS."""
    rows = [word for word in arguments if word.startswith("RP-")] or list(ROWS)
    chosen = [word for word in arguments if not word.startswith("RP-")] or folders()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="attacks-") as where:
        result = run(dict.fromkeys(chosen, rows), Path(where))
    for (id, folder), outcome in sorted(result.items()):
        if outcome.verdict is not Verdict.PASS:
            print(id, folder, outcome.verdict.value, outcome.sentence[:300])
    counts: dict[str, int] = {}
    for outcome in result.values():
        counts[outcome.verdict.value] = counts.get(outcome.verdict.value, 0) + 1
    print(counts, f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
