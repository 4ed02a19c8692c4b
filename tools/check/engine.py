"""The engine of the attacks: it is started once, and runs any rows or variants on any app.

    with Engine(where) as engine:
        result = engine.attack("step3_login", parse_selection("RP-04,RP-68 a b"))

It uses no test framework: the tests of this repository, `learn.py check` and the workshop call it. What it has started
stays ready for the next attack: providers, and the app itself until its files change.
"""

from __future__ import annotations

import copy
import itertools
import socket
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from fake_provider import RunningProvider, serve
from tools.places import ROOT

from .apps import login_folders, provider_names
from .catalogue import (
    NEEDS,
    NO_RESPONSE,
    Outcome,
    Row,
    Variant,
    Verdict,
    control,
    declarations,
    declared_of_tried,
    judge,
    outcome_of,
    try_variant,
)
from .checked_app import CheckedApp
from .errors import AttackWorked, LoginFailed
from .facts import AppFacts, find_facts
from .instances import Instances, version
from .relay import Collector, Relay
from .rows import ROWS
from .selection import Selection, all_rows, is_selected, parse_selection

NO_LOGIN = "no login works: see RP-01"
ENDED = "the app has ended"
MIN_VARIANTS = 25  # that a further lane must find waiting: starting the app there takes as long as these
MAX_END = 1.0  # seconds from the last response of a process to its end
LANES = 2  # each keeps its app and its provider busy as well

OnOutcome = Callable[[str, str, Outcome], None]  # called with the row, the variant and its outcome, as they come
Found = dict[str, dict[str, Outcome]]  # by row and variant


def ignore(id: str, variant: str, outcome: Outcome) -> None:
    """Do nothing with an outcome when it comes."""


@dataclass
class AppResult:
    """The outcomes of the attacks on one app: of each variant, and of each row with the declarations of its README.

    Where an app has several providers, the names of the variants end with the provider's: `b empty [X]`.
    """

    outcomes: Found = field(default_factory=dict)  # by row and variant
    verdicts: dict[str, Outcome] = field(default_factory=dict)  # by row
    facts: AppFacts | None = None  # None when they were not looked for
    ended: str | None = None  # the sentence with the request that ended the app


@dataclass(frozen=True)
class Job:
    """What to attack: the app of a folder below `source`, at these providers or at all, with these rows."""

    folder: str
    selection: Selection
    source: Path = ROOT
    providers: tuple[str | None, ...] | None = None


class Lane:
    """A provider, a relay in front of it, a collector, and the instances of the app that was attacked here last."""

    def __init__(self, provider: RunningProvider, where: Path) -> None:
        self.provider = provider
        self.relay = Relay(provider.port)
        self.collector = Collector()
        self.instances: Instances | None = None
        self._where = where
        self.is_used_up = False  # an attack that worked may have left something behind in the app
        self._number = 0
        self._checked: dict[bool, list[CheckedApp]] = {}  # by whether they are of the verbose instance

    def stop(self) -> None:
        """Stop the app and the servers. The provider belongs to the engine."""
        if self.instances is not None:
            self.instances.stop()
        self.relay.stop()
        self.collector.stop()

    def checked_apps(self, job: Job, *, is_verbose: bool = False) -> list[CheckedApp]:
        """Return a CheckedApp for each of the app's providers; the app is started, or still runs unchanged.

        Raises RuntimeError with the app's output when it does not start.
        """
        if not self.is_ready_for(job):
            if self.instances is not None:
                self.instances.stop()
            self._number += 1
            self._checked = {}
            self.is_used_up = False
            self.instances = Instances(job.folder, self._where / str(self._number), self.relay, job.source)
        if is_verbose not in self._checked:
            self._checked[is_verbose] = self._make(self.instances, provider_names(job.folder), is_verbose)
        return self._checked[is_verbose]

    def is_ready_for(self, job: Job) -> bool:
        """Tell whether the app of this job runs here, and its files have not changed."""
        now = self.instances
        return (
            now is not None
            and not self.is_used_up
            and (now.folder, now.source, now.version) == (job.folder, job.source, version(job.source / job.folder))
            and not any(checked.app and checked.app.has_ended for each in self._checked.values() for checked in each)
        )

    def _make(self, instances: Instances, names: Iterable[str | None], is_verbose: bool) -> list[CheckedApp]:
        app = instances.verbose if is_verbose else instances.app
        checked_apps = [
            CheckedApp(
                app.url,
                self.provider,
                instances.folder,
                name or "",
                app,
                self.relay,
                self.collector,
                instances,
                clock=app.home / "clock" if is_verbose else None,
            )
            for name in names
        ]
        for checked in checked_apps:
            checked.others = [other for other in checked_apps if other is not checked]
        return checked_apps


class Run:
    """The attacks on one app: the rows that wait, shared by the lanes that work on them, and the outcomes so far."""

    def __init__(self, job: Job, names: Iterable[str | None], on_outcome: OnOutcome, has_controls: bool) -> None:
        self.job = job
        self.names = list(names)
        self.ended: str | None = None
        self._on_outcome = on_outcome
        self._has_controls = has_controls
        self._lock = threading.Lock()
        self._found: dict[str | None, Found] = {name: {} for name in self.names}
        self._unusable: set[str | None] = set()  # providers where no login works
        self._waiting: deque[tuple[str | None, Row, list[Variant]]] = deque()
        self.slow: list[tuple[str | None, Row, Variant]] = []
        for name in self.names:
            for row in ROWS.values():
                chosen = [
                    variant
                    for variant in row.variants
                    if is_selected(job.selection, row.id, variant) and not (variant.once and name != self.names[0])
                ]
                if quick := [variant for variant in chosen if not variant.slow]:
                    self._waiting.append((name, row, quick))
                self.slow += [(name, row, variant) for variant in chosen if variant.slow]

    @property
    def number_waiting(self) -> int:
        """How many variants wait for a lane."""
        return sum(len(variants) for _, _, variants in list(self._waiting))

    @property
    def has_findings(self) -> bool:
        """Whether an attack has worked so far."""
        with self._lock:
            rows = [outcomes for found in self._found.values() for outcomes in found.values()]
            return any(not outcome.verdict.is_good for outcomes in rows for outcome in outcomes.values())

    def work(self, checked_apps: Iterable[CheckedApp]) -> None:
        """Run the rows that wait, one after the other, until there are none."""
        by_name = {checked.provider_name or None: checked for checked in checked_apps}
        while self._waiting:
            try:
                name, row, variants = self._waiting.popleft()
            except IndexError:  # another lane took the last one
                return
            if self.can_attack(name, by_name.get(name)):
                self._attack(name, by_name[name], row, variants)
            else:
                self.leave_out(name, row, variants)

    def work_slowly(self, checked_apps: Iterable[CheckedApp]) -> None:
        """Run the slow variants: those that want the app to themselves, then all others at once, since they wait."""
        by_name = {checked.provider_name or None: checked for checked in checked_apps}
        usable = {name for name, checked in by_name.items() if self.can_attack(name, checked)}
        for name in usable:
            with suppress(Exception):  # the case that needs the facts reports the error
                by_name[name].find_out()

        def run(case: tuple[str | None, Row, Variant]) -> None:
            name, row, variant = case
            if name in usable:
                checked = copy.copy(by_name[name])  # what it notes is its own
                checked.requests = []
                self._try(name, checked, row, variant)
            else:
                self.leave_out(name, row, [variant])

        for mode in ("alone", "together"):
            chosen = [case for case in self.slow if case[2].slow == mode]
            with ThreadPoolExecutor(max(1, len(chosen)) if mode == "together" else 1) as pool:
                list(pool.map(run, chosen))

    def give_up(self, outcome: Outcome) -> None:
        """No row can be tried: note the reason once, as the outcome of RP-01."""
        for name in self.names:
            self._refuse(name, outcome)
        self.work([])
        for name, row, variant in self.slow:
            self.leave_out(name, row, [variant])

    def refuse(self, name: str | None, problem: str) -> None:
        """Note why no login at this provider works, as the outcome of RP-01."""
        self._refuse(name, Outcome(Verdict.FAIL, problem))

    def can_attack(self, name: str | None, checked: CheckedApp | None) -> bool:
        """Tell whether a login at this provider works; if none does, the reason is noted as the outcome of RP-01."""
        if self.ended is not None or name in self._unusable or checked is None:
            return False

        def log_in() -> None:
            try:
                checked.successful_login  # noqa: B018 - it is kept
            except LoginFailed as error:
                raise AttackWorked(str(error)) from None

        outcome = outcome_of(log_in, checked)
        if outcome.verdict is Verdict.PASS:
            return True
        self._refuse(name, self._or_ended(checked, outcome))
        return False

    def leave_out(self, name: str | None, row: Row, variants: Iterable[Variant], reason: str = "") -> None:
        """Note that these variants are not tried, and why."""
        no_login = NO_LOGIN if len(self.names) == 1 else f"{NO_LOGIN} for {name}"
        outcome = Outcome(Verdict.NOT_APPLICABLE, reason or (ENDED if self.ended is not None else no_login))
        self._add(name, row.id, {variant.name: outcome for variant in variants})

    def result(self, declared: Mapping[str, set[str]], facts: AppFacts | None = None) -> AppResult:
        """Return the outcomes in the order of the table, and the verdict of each row."""
        result = AppResult(facts=facts, ended=self.ended)
        is_strict = bool(self.job.folder) and not self._unusable and self.ended is None
        for row in ROWS.values():
            order = [*(variant.name for variant in row.variants), "control"]
            outcomes = {
                self._shown(variant, name): self._found[name][row.id][variant]
                for name in self.names
                for variant in sorted(self._found[name].get(row.id, {}), key=order.index)
            }
            if not outcomes:
                continue
            letters = set(declared.get(row.id, ()))
            if not is_strict or self.job.selection.get(row.id, frozenset()) is not None:
                letters = declared_of_tried(outcomes, letters)
            result.outcomes[row.id] = outcomes
            result.verdicts[row.id] = judge(outcomes.items(), letters)
        return result

    def _attack(self, name: str | None, checked: CheckedApp, row: Row, variants: Iterable[Variant]) -> None:
        outcomes = [self._try(name, checked, row, variant) for variant in variants]
        was_tried = any(outcome.verdict is not Verdict.NOT_APPLICABLE for outcome in outcomes)
        # A row that ends with a login that works is its own control.
        if was_tried and self._has_controls and self.ended is None and checked.acts_at_login != checked.acts:
            login = control(checked)
            if login.verdict is not Verdict.PASS:
                self._add(name, row.id, {"control": self._or_ended(checked, login)})

    def _try(self, name: str | None, checked: CheckedApp, row: Row, variant: Variant) -> Outcome:
        if self.ended is not None:
            outcome = Outcome(Verdict.NOT_APPLICABLE, ENDED)
        else:
            if checked.app is not None and not variant.slow:
                checked.app.forget_log()
            outcome = self._or_ended(checked, try_variant(checked, row, variant))
            if checked.has_faults and self.ended is None:
                checked.clear_faults()
        self._add(name, row.id, {variant.name: outcome})
        return outcome

    def _or_ended(self, checked: CheckedApp, outcome: Outcome) -> Outcome:
        """Return the outcome, or a crash with the request that ended the app."""
        sentence = end_of(checked, outcome)
        if sentence is None:
            return outcome
        with self._lock:
            self.ended = self.ended or sentence
        return Outcome(Verdict.CRASH, sentence)

    def _refuse(self, name: str | None, outcome: Outcome) -> None:
        with self._lock:
            self._unusable.add(name)
        self._add(name, "RP-01", {ROWS["RP-01"].variants[0].name: outcome})

    def _add(self, name: str | None, id: str, outcomes: Mapping[str, Outcome]) -> None:
        with self._lock:  # one call of `on_outcome` at a time
            found = self._found[name].setdefault(id, {})
            for variant, outcome in outcomes.items():
                if variant not in found:  # that no login works is said once
                    found[variant] = outcome
                    self._on_outcome(id, self._shown(variant, name), outcome)

    def _shown(self, variant: str, name: str | None) -> str:
        return variant if len(self.names) == 1 else f"{variant} [{name}]".strip()


def end_of(checked: CheckedApp, outcome: Outcome) -> str | None:
    """Return the sentence with the request that ended the app; None while it runs."""
    if outcome.verdict.is_good and checked.app is None:
        return None
    is_reset = outcome.sentence.startswith(NO_RESPONSE)  # a process that ends closes its connections before its port
    end = time.monotonic() + (MAX_END if is_reset else 0)
    while checked.app.has_ended is False if checked.app else is_listening(checked.url):
        if time.monotonic() >= end:
            return None
        time.sleep(0.02)
    own = [(method, url) for method, url in checked.requests if url.startswith(f"{checked.url}/")]
    method, url = own[-1] if own else ("", "")
    return f"the app ended at the request {method} {urlsplit(url).path}" if own else "the app ended before any request"


def is_listening(url: str) -> bool:
    """Tell whether a program accepts connections at the host and port of this URL."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "localhost", port), 5).close()
    except OSError:
        return False
    return True


class Engine:
    """Providers and apps that stay ready. `lanes` attacks run at once, each with a provider of its own."""

    def __init__(self, where: Path, *, lanes: int = 2, provider: RunningProvider | None = None) -> None:
        self.where = where
        self.provider = provider  # of the running app that `attack_url` attacks
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._is_free = threading.Semaphore(lanes)
        self._lanes: list[Lane | None] = [None] * lanes  # free ones; None for one that has not been started
        self._slow_lanes: list[Lane | None] = []  # free ones; they share a provider
        self._slow_provider: RunningProvider | None = None
        self._slow_lock = threading.Lock()
        self._runs: list[Run] = []  # that have begun
        self._jobs = 0  # that have not begun
        self._numbers = itertools.count()

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
        providers: Sequence[str | None] | None = None,
        on_outcome: OnOutcome = ignore,
        has_controls: bool = True,
    ) -> AppResult:
        """Start the app of a folder below `source`, and attack its logins at these providers, or at all.

        Without `has_controls`, no login without an attack is tried after each row.
        """
        job = Job(folder, selection, source, tuple(providers) if providers else None)
        with self._lock:
            self._jobs += 1
        return self._run(job, on_outcome, has_controls)

    def attack_all(self, jobs: Mapping[str, Job]) -> dict[str, AppResult]:
        """Attack several apps, each in a lane; lanes that have nothing left to do help the others."""
        with self._lock:
            self._jobs += len(jobs)
        with ThreadPoolExecutor(max(1, len(jobs))) as pool:
            results = pool.map(lambda job: self._run(job, ignore, True), jobs.values())
            return dict(zip(jobs, results, strict=True))

    def attack_url(
        self,
        url: str,
        selection: Selection,
        facts: AppFacts | None = None,
        declared: Mapping[str, set[str]] | None = None,
        *,
        on_outcome: OnOutcome = ignore,
    ) -> AppResult:
        """Attack a running app of which only the URL is known, all of its logins.

        `provider` is the one that it logs in with. The reason why a login does not work is the outcome of RP-01.
        """
        assert self.provider is not None, "attack_url needs the provider of the app"
        with ExitStack() as stack:
            collector = Collector()
            stack.callback(collector.stop)
            if facts is None:
                facts = find_facts(CheckedApp(url, self.provider, collector=collector))
            logins = [login for login in facts.logins if not login.is_elsewhere]
            names = [login.provider_name or None for login in logins] or [None]
            run = Run(Job("", selection), names, on_outcome, True)
            for login in logins:
                if login.problem:
                    run.refuse(login.provider_name or None, login.problem)
            if not logins:
                run.refuse(None, facts.problem or facts.logins[0].problem)
            run.work(facts.checked)
            by_name = {checked.provider_name or None: checked for checked in facts.checked}
            for name, row, variant in run.slow:
                is_tried = run.can_attack(name, by_name.get(name))
                run.leave_out(name, row, [variant], NEEDS["own process"] if is_tried else "")
        return run.result(declared or {}, facts)

    def _run(self, job: Job, on_outcome: OnOutcome, has_controls: bool) -> AppResult:
        run = Run(job, job.providers or provider_names(job.folder), on_outcome, has_controls)
        self._is_free.acquire()
        lane = self._take(self._lanes, job)
        with self._lock:
            self._jobs -= 1
            self._runs.append(run)
        with ThreadPoolExecutor() as pool:
            works = [pool.submit(self._work_slowly, run)] if run.slow else []
            works.append(pool.submit(self._work, run, lane))
            while self._jobs == 0 and run.number_waiting > MIN_VARIANTS * len(works) and self._is_free.acquire(False):
                works.append(pool.submit(self._work, run, self._take(self._lanes, job)))
            for work in works:
                work.result()
        with self._lock:
            self._runs.remove(run)
        return run.result(declarations(job.source / job.folder))

    def _work(self, run: Run, lane: Lane | None) -> None:
        """Run the rows that wait in this lane, then those of other apps if no app waits for a lane."""
        try:
            lane = lane or self._start_lane()
            next_run: Run | None = run
            while next_run is not None:
                self._work_in(lane, next_run)
                with self._lock:
                    waiting = [] if self._jobs else [each for each in self._runs if each.number_waiting > MIN_VARIANTS]
                    next_run = max(waiting, key=lambda each: each.number_waiting, default=None)
        finally:
            with self._lock:
                self._lanes.append(lane)
            self._is_free.release()

    def _work_in(self, lane: Lane, run: Run) -> None:
        if not run.number_waiting:
            return
        try:
            checked_apps = lane.checked_apps(run.job)
        except (RuntimeError, TimeoutError) as error:
            run.give_up(Outcome(Verdict.FAIL, str(error)))
            return
        lane.provider.reset()
        for checked in checked_apps:
            checked.ignored_until = 0  # the numbers of the messages may begin again
        run.work(checked_apps)
        lane.is_used_up = run.has_findings

    def _work_slowly(self, run: Run) -> None:
        lane = self._take(self._slow_lanes, run.job)
        if lane is None:
            with self._slow_lock:
                if self._slow_provider is None:
                    self._slow_provider = self._stack.enter_context(serve())
            lane = self._new_lane(self._slow_provider)
        try:
            run.work_slowly(lane.checked_apps(run.job, is_verbose=True))
            lane.is_used_up = run.has_findings
        except (RuntimeError, TimeoutError) as error:
            run.give_up(Outcome(Verdict.FAIL, str(error)))
        finally:
            with self._lock:
                self._slow_lanes.append(lane)

    def _take(self, lanes: list[Lane | None], job: Job) -> Lane | None:
        """Take the free lane where this app runs, else one that has not been started, else the one used longest ago."""
        with self._lock:
            ready = [lane for lane in lanes if lane is not None and lane.is_ready_for(job)]
            lane = next(iter(ready), None if None in lanes else next(iter(lanes), None))
            if lane in lanes:
                lanes.remove(lane)
            return lane

    def _start_lane(self) -> Lane:
        return self._new_lane(self._stack.enter_context(serve()))

    def _new_lane(self, provider: RunningProvider) -> Lane:
        lane = Lane(provider, self.where / f"lane{next(self._numbers)}")
        self._stack.callback(lane.stop)
        return lane


@contextmanager
def all_checked_apps(where: Path) -> Iterator[list[CheckedApp]]:
    """Start every app once, all with one provider, and give a CheckedApp for each login."""
    with ExitStack() as stack:
        provider = stack.enter_context(serve())
        lanes = {folder: Lane(provider, where / folder.replace("/", "-")) for folder in login_folders()}
        for lane in lanes.values():
            stack.callback(lane.stop)
        with ThreadPoolExecutor(2) as pool:
            found = pool.map(lambda folder: lanes[folder].checked_apps(Job(folder, {})), lanes)
            yield [checked for checked_apps in found for checked in checked_apps]


def main(arguments: list[str]) -> None:
    """Attack the folders with the rows that the arguments name, or all, and print the outcomes that are not PASS."""
    rows = [word for word in arguments if word.startswith("RP-")]
    selection = parse_selection(",".join(rows)) if rows else all_rows()
    chosen = [word for word in arguments if not word.startswith("RP-")] or login_folders()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="attacks-") as where, Engine(Path(where), lanes=LANES) as engine:
        results = engine.attack_all({folder: Job(folder, selection) for folder in chosen})
    outcomes = {(id, folder): found for folder, result in results.items() for id, found in result.verdicts.items()}
    for (id, folder), outcome in sorted(outcomes.items()):
        if outcome.verdict is not Verdict.PASS:
            print(id, folder, outcome.verdict.value, outcome.sentence[:300])
    counts = Counter(outcome.verdict.value for outcome in outcomes.values())
    print(dict(counts), f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
