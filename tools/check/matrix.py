"""Every app against every case: apps are started once, side by side, and each is attacked in a thread of its own."""

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

from . import (  # noqa: F401 - they fill the table
    cases_id_token,
    cases_request,
    cases_responses,
    cases_session,
)
from .browser import TimedOut
from .catalogue import NEEDS, ROWS, Outcome, Row, Variant, Verdict, control, declarations, judge, tried, try_variant
from .checked_app import CheckedApp, Crashed, LoginFailed, start
from .relay import Collector, Relay

for _id in sorted(ROWS):
    ROWS[_id] = ROWS.pop(_id)  # in the order of their numbers, whatever file they stand in

AT_ONCE = 3  # folders; each keeps its app and its provider busy as well
ODD_SECRET = "a:b%c+d é&e=ü\"'"

# What the instance that says all it can is started with, and what the one with weak random numbers is. The clock of the
# first is as many seconds ahead as a file in its folder says: a day goes by without waiting, and without a change in
# the app. The process that such instances are forked from has no such file.
TALKATIVE = """
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


class Folder:
    """An app with all that is needed to attack it; its benches are one for each of its providers."""

    def __init__(self, folder: str, where: Path, calm: RunningProvider, source: Path = ROOT) -> None:
        self.folder = folder
        self.where = where
        self.calm = calm
        self.source = source
        self.benches: list[CheckedApp] = []
        self.calm_benches: list[CheckedApp] = []

    def start(
        self, stack: ExitStack, provider: RunningProvider, names: Iterable[str | None], rows: Collection[str]
    ) -> None:
        """Start the app, and those other instances of it that these rows need."""
        relay, collector = Relay(provider.port), Collector()
        stack.callback(relay.stop)
        stack.callback(collector.stop)
        app = self._prepare(relay, "app")
        public = talkative = None
        instances = [app]
        if any(variant.slow for id in rows for variant in ROWS[id].variants):
            calm_relay = Relay(self.calm.port)
            stack.callback(calm_relay.stop)
            talkative = self._prepare(calm_relay, "talkative", TALKATIVE)
            clock = talkative.home / "clock"
            clock.write_text("0", "utf-8")
            instances.append(talkative)
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
            bench = CheckedApp(
                app.url, provider, self.folder, name or "", app, relay, collector, public=public, talkative=talkative
            )
            self.benches.append(bench)
            if talkative is not None:
                calm = replace(
                    bench, url=talkative.url, provider=self.calm, app=talkative, relay=calm_relay, clock=clock
                )
                self.calm_benches.append(calm)
        for benches in (self.benches, self.calm_benches):
            for bench in benches:
                bench.others = [other for other in benches if other is not bench]

    def _prepare(self, relay: Relay, name: str, customize: str = "") -> App:
        app = prepare(self.folder, relay, self.where / name, source=self.source)
        if customize:
            folder = self.where / f"{name}-site"
            folder.mkdir(parents=True)
            (folder / "sitecustomize.py").write_text(customize, "utf-8")
            app.environment["PYTHONPATH"] = str(folder)
        return app


def attack(bench: CheckedApp, rows: Collection[str]) -> dict[str, dict[str, Outcome]]:
    """Run the variants that do not wait, one after the other, since each breaks what the provider says next."""
    found: dict[str, dict[str, Outcome]] = {}
    for row in ROWS.values():
        chosen = [variant for variant in row.variants if not variant.slow]
        if row.id not in rows or not chosen:
            continue
        found[row.id] = {variant.name: try_variant(bench, row, variant) for variant in chosen}
        if any(outcome.verdict is not Verdict.NOT_APPLICABLE for outcome in found[row.id].values()):
            again = control(bench)
            if again.verdict is not Verdict.PASS:
                found[row.id]["control"] = again
    return found


def attack_slowly(benches: Collection[CheckedApp], rows: Collection[str]) -> list[dict[str, dict[str, Outcome]]]:
    """Run the variants that wait, all at once, and then, one by one, those that need the app for themselves."""
    found: list[dict[str, dict[str, Outcome]]] = []
    for when in ("together", "alone"):
        chosen: list[tuple[CheckedApp, Row, Variant]] = [
            (bench, row, variant)
            for bench in benches
            for row in ROWS.values()
            if row.id in rows
            for variant in row.variants
            if variant.slow == when
        ]
        with ThreadPoolExecutor(max(1, len(chosen)) if when == "together" else 1) as pool:
            outcomes = pool.map(lambda case: try_variant(*case), chosen)
            for (_, row, variant), outcome in zip(chosen, outcomes, strict=True):
                found.append({row.id: {variant.name: outcome}})
    return found


class Providers:
    """One provider for what waits, and a few more, each of which one folder at a time has for itself."""

    def __init__(self, stack: ExitStack, number: int) -> None:
        with ThreadPoolExecutor() as pool:
            self.calm, *others = pool.map(lambda _: stack.enter_context(serve()), range(number + 1))
        self._free: SimpleQueue[RunningProvider] = SimpleQueue()
        for provider in others:
            self._free.put(provider)

    @contextmanager
    def one(self) -> Iterator[RunningProvider]:
        """A provider that nobody else has, with nothing left in it of whoever had it before."""
        provider = self._free.get()
        try:
            provider.reset()
            yield provider
        finally:
            self._free.put(provider)


def run(wanted: dict[str, Collection[str]], where: Path) -> Result:
    """Attack these folders with these rows, and return the verdicts."""
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:
        providers = Providers(stack, min(AT_ONCE, len(wanted)))
        results = pool.map(lambda folder: _run_folder(folder, wanted[folder], where / folder, providers, ROOT), wanted)
        return {key: outcome for result in results for key, outcome in result.items()}


def _run_folder(folder: str, rows: Collection[str], where: Path, providers: Providers, source: Path) -> Result:
    names = FACTS.get(folder, {}).get("providers", [None])
    declared = declarations(source / folder)
    with providers.one() as provider, ExitStack() as stack:
        attacked = Folder(folder, where, providers.calm, source)
        attacked.start(stack, provider, names, rows)
        for bench in attacked.calm_benches:
            with suppress(Exception):  # whoever needs it will find out what is wrong
                bench.request, bench.answer, bench.successful_login  # noqa: B018 - learned in peace, before all begins at once
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(attack_slowly, attacked.calm_benches, rows)
            quick = [attack(bench, rows) for bench in attacked.benches]
            found = [*quick, *slow.result()]
    result: Result = {}
    for id in rows:
        outcomes = [pair for one in found for pair in one.get(id, {}).items()]
        result[id, folder] = judge(outcomes, declared.get(id, set()))
    return result


def run_copies(copies: dict[str, tuple[str, Path, Collection[str]]], where: Path) -> dict[str, dict[str, Outcome]]:
    """Attack copies of apps, each given by its folder, the folder above and the rows; return verdicts by row."""
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:
        providers = Providers(stack, AT_ONCE)

        def run_one(name: str) -> dict[str, Outcome]:
            folder, source, rows = copies[name]
            result = _run_folder(folder, rows, where / name, providers, source)
            return {id: outcome for (id, _), outcome in result.items()}

        return dict(zip(copies, pool.map(run_one, copies), strict=True))


def attack_from_outside(bench: CheckedApp, rows: Collection[str], declared: Mapping[str, set[str]]) -> Result:
    """Attack an app that is running already, of which nothing is known but its URL, and what its README declares."""
    outside = Outcome(Verdict.NOT_APPLICABLE, NEEDS["own process"])
    try:
        bench.successful_login  # noqa: B018 - without a login that goes well there is nothing to attack
    except (LoginFailed, Crashed, TimedOut) as error:
        nothing = Outcome(Verdict.NOT_APPLICABLE, "no login goes well: see RP-01")
        return {(id, bench.url): nothing for id in rows} | {("RP-01", bench.url): Outcome(Verdict.FAIL, str(error))}
    found = attack(bench, rows)
    result: Result = {}
    for id in rows:
        outcomes = found.get(id, {"": outside})
        result[id, bench.url] = judge(outcomes.items(), tried(outcomes, declared.get(id, set())))
    return result


@contextmanager
def all_checked_apps(where: Path) -> Iterator[list[CheckedApp]]:
    """Start every app once, with one provider for all of them, and give a bench for each login."""
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
        benches = [
            CheckedApp(apps[folder][0].url, provider, folder, name or "", apps[folder][0], apps[folder][1], Collector())
            for folder, name in find_logins()
        ]
        for bench in benches:
            bench.others = [other for other in benches if other.folder == bench.folder and other is not bench]
        yield benches


def folders() -> list[str]:
    """The folders of all login apps in the tree."""
    return list(dict.fromkeys(folder for folder, _ in find_logins()))


def main(arguments: list[str]) -> None:
    """Run by hand: folders and rows as arguments."""
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
