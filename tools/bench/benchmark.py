"""Measure the provider and its peers side by side, and print one table.

`python3 learn.py bench` runs it. What it installs goes into one folder, which it names.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import date
from http.client import HTTPException
from pathlib import Path
from statistics import median

import psutil

from fake_provider import free_port
from tools.bench.client import Client, LoginFailed, Target, log_in_for
from tools.bench.options import add_options
from tools.bench.refusals import refusals
from tools.bench.servers import PEERS, Server, floor, ours, running
from tools.places import PYTHON

MANY = 8  # clients
START_TIMEOUT = 30.0  # seconds until a server must answer
MOST = 600  # logins of one measurement
RUN_UP = 0.3  # seconds in which all clients connect, before the clock runs
FLOOR = "empty Flask app, granian"
SIGNING_FLOOR = "empty Flask app that signs, granian"
AGAINST = (  # of ours, and who does the same
    ("fake_provider, github", "emulate, github"),
    ("fake_provider, google", "emulate, google"),
    ("fake_provider, okta", "emulate, okta"),
    ("fake_provider, github", FLOOR),
    ("fake_provider, google", SIGNING_FLOOR),
    ("fake_provider, okta", SIGNING_FLOOR),
)
NO_RULES = (FLOOR, SIGNING_FLOOR, "empty Flask app, werkzeug")  # they refuse nothing, and are not asked to


@dataclass
class Row:
    """What has been measured of one target; speeds are full logins per second, one number a round."""

    server: Server
    requests: int
    one: list[float] = field(default_factory=list)
    many: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)  # milliseconds of processor time that our client took a login
    refused: dict[str, bool] = field(default_factory=dict)


@dataclass
class Run:
    """All that one run has found.

    `starts` are a server's milliseconds; `memory` is its megabytes after the load of a target, by the target's name.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    starts: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    memory: dict[str, float] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def main() -> None:
    """Install, start, measure, print."""
    options = _options()
    run = Run()
    servers = [ours(), floor("granian"), floor("granian", signs=True), floor("werkzeug")]
    for name, install in () if options.no_peers else PEERS.items():
        _say(f"Installing {name} into {options.folder} …")
        options.folder.mkdir(parents=True, exist_ok=True)
        try:
            servers += install(options.folder, options.python)
        except (OSError, subprocess.CalledProcessError) as error:
            run.missing.append(f"{name} could not be installed: {_reason(error)}")
    measure(servers, run, options.rounds, options.seconds, options.folder)
    print(report(run, options.rounds, options.seconds))


def measure(servers: list[Server], run: Run, rounds: int, seconds: float, folder: Path) -> None:
    """Round by round: start all servers side by side, let each answer one client and then many, stop them.

    The first round warms up and is thrown away. Each round has fresh processes: emulate answers 5,000 requests of
    people who are not logged in, and then none for an hour.
    """
    with ProcessPoolExecutor(MANY, multiprocessing.get_context("spawn")) as pool:
        for number in range(rounds):
            _say(f"Round {number} of {rounds - 1} …")
            kept = run if number else Run()
            first = number * len(servers) // rounds  # another one each time: the first to start pays for all
            try:
                _round([*servers[first:], *servers[:first]], kept, pool, seconds, folder, is_last=number == rounds - 1)
            finally:
                run.missing += [sentence for sentence in kept.missing if sentence not in run.missing]
    names = [target.name for server in servers for target in server.targets(0)]
    run.rows = {name: run.rows[name] for name in names if name in run.rows}


def _round(
    servers: list[Server], run: Run, pool: ProcessPoolExecutor, seconds: float, folder: Path, is_last: bool
) -> None:
    with ExitStack() as stack:
        started = []
        for server in servers:
            port = free_port()
            began = time.monotonic()
            process = stack.enter_context(running(server.command(port), folder))
            targets = server.targets(port)
            if wait_for_answer(targets[0], process):
                run.starts[server.name].append((time.monotonic() - began) * 1000)
                started.append((server, process, targets))
            else:
                run.missing.append(f"{server.name} did not start")
        for server, process, targets in started:
            for target in targets:
                try:
                    _log_in(target, server, run, pool, seconds)
                    run.memory[target.name] = memory_of(process.pid)
                    if is_last and target.name not in NO_RULES:
                        with closing(Client(target)) as client:
                            run.rows[target.name].refused = refusals(client)
                except (OSError, HTTPException, LoginFailed) as error:
                    run.missing.append(f"{target.name} did not go on: {error}")


def wait_for_answer(target: Target, process: subprocess.Popen[bytes]) -> bool:
    """Return whether a new process has come to answer an authorization request, as soon as it has."""
    with closing(Client(target)) as client:
        address, _ = client.request_address("v" * 43)
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end and process.poll() is None:
        with closing(Client(target)) as client:
            try:
                return client.send("GET", address).status < 400
            except (OSError, HTTPException):
                time.sleep(0.002)
    return False


def memory_of(process: int) -> float:
    """Return the megabytes of a process and its children: what each has for itself, and what they share once.

    Of a single process that is its RSS. What two of them share is taken to be in the larger share of the two.
    """
    parent = psutil.Process(process)
    found = [each.memory_full_info() for each in (parent, *parent.children(recursive=True))]
    return (sum(each.uss for each in found) + max(each.rss - each.uss for each in found)) / 1e6


def _log_in(target: Target, server: Server, run: Run, pool: ProcessPoolExecutor, seconds: float) -> None:
    with closing(Client(target)) as client:
        client.log_in()  # the first one may have more pages
        client.requests = 0
        client.log_in()
        row = run.rows.setdefault(target.name, Row(server, client.requests))
    for clients, speeds in ((1, row.one), (MANY, row.many)):
        start = time.monotonic() + RUN_UP
        waiting = [pool.submit(log_in_for, target, start, seconds, MOST // clients) for _ in range(clients)]
        results = [client.result() for client in waiting]
        speeds.append(sum(logins / took for logins, took, _ in results))
        if clients == 1:
            row.client.extend(busy / logins * 1000 for logins, _, busy in results)


# --- what is printed


def report(run: Run, rounds: int, seconds: float) -> str:
    """Return the run as Markdown: the table of ratios, and what they are ratios of."""
    base = run.rows.get(FLOOR)
    lines = [
        f"Run of {date.today():%d %B %Y}: {rounds - 1} rounds after one that warmed up, each measurement at most "
        f"{seconds:g} s and {MOST} logins, on {psutil.cpu_count()} cores shared with the clients; "
        f"Python {platform.python_version()}. Medians.",
        "",
        f"| | requests | one client | ÷ floor | {MANY} clients | ÷ floor | start, ms | memory, MB | refuses |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in run.rows.items():
        one, many = _median(row.one), _median(row.many)
        ratios = [f"{_ratio(one, base and _median(base.one))}", f"{_ratio(many, base and _median(base.many))}"]
        refused = f"{sum(row.refused.values())} of {len(row.refused)}" if row.refused else "–"
        title = f"{name} {row.server.version}".strip()
        start = _median(run.starts.get(row.server.name, []))
        lines.append(
            f"| {title} | {row.requests} | {one:.0f} | {ratios[0]} | {many:.0f} | {ratios[1]} "
            f"| {start:.0f} | {run.memory.get(name, 0):.0f} | {refused} |"
        )
    lines += ["", *_against(run), ""]
    takes = _median([_median(row.client) for row in run.rows.values()])
    lines.append(f"The client itself takes {takes:.1f} ms of processor time a login, on the same cores.")
    for name, row in run.rows.items():
        lacking = [check for check, holds in row.refused.items() if not holds]
        if lacking:
            lines.append(f"- {name} does not refuse: {', '.join(lacking)}.")
    lines += [f"- Missing: {sentence}." for sentence in run.missing]
    return "\n".join(lines)


def _against(run: Run) -> list[str]:
    """Return a table of ours as multiples of a peer of the same dialect, and of a floor that does as much."""
    pairs = [(ours, peer) for ours, peer in AGAINST if ours in run.rows and peer in run.rows]
    if not pairs:
        return []
    lines = [f"| who does the same | one client | {MANY} clients |", "|---|---:|---:|"]
    for mine, peer in pairs:
        one = _ratio(_median(run.rows[mine].one), _median(run.rows[peer].one))
        many = _ratio(_median(run.rows[mine].many), _median(run.rows[peer].many))
        lines.append(f"| {mine} ÷ {peer} | {one} | {many} |")
    return lines


def _median(numbers: list[float]) -> float:
    return median(numbers) if numbers else 0.0


def _ratio(number: float, base: float | None) -> str:
    return f"{number / base:.2f}" if base else "–"


def _reason(error: Exception) -> str:
    said = getattr(error, "stderr", "") or str(error)
    return " ".join(str(said).split())[:300]


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(f"{PYTHON} learn.py bench", description=__doc__)
    add_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
