"""Measure the fake provider and its peers side by side, and print one table. Peers are installed into one folder."""

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
from tools.bench.client import Client, LoginFailed, Target, log_in_repeatedly
from tools.bench.options import add_options
from tools.bench.refusals import check_refusals
from tools.bench.servers import PEERS, Server, baseline, ours, running
from tools.places import PYTHON

MANY_CLIENTS = 8
START_TIMEOUT = 30.0  # seconds until a server must respond
MAX_LOGINS = 600  # in one measurement
CONNECT_TIME = 0.3  # seconds for all clients to connect before the measurement starts
BASELINE = "empty Flask app, granian"
SIGNING_BASELINE = "empty Flask app that signs, granian"
COMPARED = (  # a dialect of this provider, and a peer or baseline that does the same
    ("fake_provider, github", "emulate, github"),
    ("fake_provider, google", "emulate, google"),
    ("fake_provider, okta", "emulate, okta"),
    ("fake_provider, github", BASELINE),
    ("fake_provider, google", SIGNING_BASELINE),
    ("fake_provider, okta", SIGNING_BASELINE),
)
CHECK_NOTHING = (BASELINE, SIGNING_BASELINE, "empty Flask app, werkzeug")  # their refusals are not checked


@dataclass
class Measurement:
    """The figures of one target. Speeds are logins per second, one number a round."""

    server: Server
    requests: int
    one: list[float] = field(default_factory=list)  # speeds with one client
    many: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)  # milliseconds of processor time of the client, a login
    refused: dict[str, bool] = field(default_factory=dict)


@dataclass
class Results:
    """All figures of one results.

    `starts` are the milliseconds of each server; `memory` has the megabytes after the load, by the name of the target.
    """

    rows: dict[str, Measurement] = field(default_factory=dict)
    starts: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    memory: dict[str, float] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def main() -> None:
    """Install, start, measure, print."""
    options = _options()
    results = Results()
    servers = [ours(), baseline("granian"), baseline("granian", signs=True), baseline("werkzeug")]
    for name, install in () if options.no_peers else PEERS.items():
        _say(f"Installing {name} into {options.folder} …")
        options.folder.mkdir(parents=True, exist_ok=True)
        try:
            servers += install(options.folder, options.python)
        except (OSError, subprocess.CalledProcessError) as error:
            results.missing.append(f"{name} could not be installed: {_reason(error)}")
    measure(servers, results, options.rounds, options.seconds, options.folder)
    print(report(results, options.rounds, options.seconds))


def measure(servers: list[Server], results: Results, rounds: int, seconds: float, folder: Path) -> None:
    """In each round, start all servers side by side, measure each with one client and then with many, and stop them.

    The first round is a warm-up and is not counted. Each round has new processes: emulate refuses requests for an hour
    after 5,000 requests of users who are not logged in.
    """
    with ProcessPoolExecutor(MANY_CLIENTS, multiprocessing.get_context("spawn")) as pool:
        for number in range(rounds):
            _say(f"Round {number} of {rounds - 1} …")
            kept = results if number else Results()
            first = number * len(servers) // rounds  # another server each time, because the first start is the slowest
            try:
                _round([*servers[first:], *servers[:first]], kept, pool, seconds, folder, is_last=number == rounds - 1)
            finally:
                results.missing += [sentence for sentence in kept.missing if sentence not in results.missing]
    names = [target.name for server in servers for target in server.targets(0)]
    results.rows = {name: results.rows[name] for name in names if name in results.rows}


def _round(
    servers: list[Server], results: Results, pool: ProcessPoolExecutor, seconds: float, folder: Path, is_last: bool
) -> None:
    with ExitStack() as stack:
        started = []
        for server in servers:
            port = free_port()
            began = time.monotonic()
            process = stack.enter_context(running(server.command(port), folder))
            targets = server.targets(port)
            if wait_for_response(targets[0], process):
                results.starts[server.name].append((time.monotonic() - began) * 1000)
                started.append((server, process, targets))
            else:
                results.missing.append(f"{server.name} did not start")
        for server, process, targets in started:
            for target in targets:
                try:
                    _log_in(target, server, results, pool, seconds)
                    results.memory[target.name] = memory_of(process.pid)
                    if is_last and target.name not in CHECK_NOTHING:
                        with closing(Client(target)) as client:
                            results.rows[target.name].refused = check_refusals(client)
                except (OSError, HTTPException, LoginFailed) as error:
                    results.missing.append(f"{target.name} failed: {error}")


def wait_for_response(target: Target, process: subprocess.Popen[bytes]) -> bool:
    """Wait until a new process responds to an authorization request; return False if it never does."""
    with closing(Client(target)) as client:
        url, _ = client.authorization_url("v" * 43)
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end and process.poll() is None:
        with closing(Client(target)) as client:
            try:
                return client.send("GET", url).status < 400
            except (OSError, HTTPException):
                time.sleep(0.002)
    return False


def memory_of(process: int) -> float:
    """Return the megabytes of a process and its children: their own memory (USS), and the biggest part that they share.

    For a single process that is its RSS.
    """
    parent = psutil.Process(process)
    found = [each.memory_full_info() for each in (parent, *parent.children(recursive=True))]
    return (sum(each.uss for each in found) + max(each.rss - each.uss for each in found)) / 1e6


def _log_in(target: Target, server: Server, results: Results, pool: ProcessPoolExecutor, seconds: float) -> None:
    with closing(Client(target)) as client:
        client.log_in()  # the first login has the page for consent
        client.requests = 0
        client.log_in()
        row = results.rows.setdefault(target.name, Measurement(server, client.requests))
    for clients, speeds in ((1, row.one), (MANY_CLIENTS, row.many)):
        start = time.monotonic() + CONNECT_TIME
        waiting = [
            pool.submit(log_in_repeatedly, target, start, seconds, MAX_LOGINS // clients) for _ in range(clients)
        ]
        results = [client.result() for client in waiting]
        speeds.append(sum(logins / took for logins, took, _ in results))
        if clients == 1:
            row.client.extend(busy / logins * 1000 for logins, _, busy in results)


# --- what is printed


def report(results: Results, rounds: int, seconds: float) -> str:
    """Return the results as Markdown: the table of ratios, and the figures behind them."""
    base = results.rows.get(BASELINE)
    lines = [
        f"Run of {date.today():%d %B %Y}: {rounds - 1} rounds after a warm-up, each measurement at most "
        f"{seconds:g} s and {MAX_LOGINS} logins, on {psutil.cpu_count()} cores shared with the clients; "
        f"Python {platform.python_version()}. Medians.",
        "",
        f"| | requests | one client | ÷ baseline | {MANY_CLIENTS} clients | ÷ baseline "
        "| start, ms | memory, MB | refuses |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in results.rows.items():
        one, many = _median(row.one), _median(row.many)
        ratios = [f"{_ratio(one, base and _median(base.one))}", f"{_ratio(many, base and _median(base.many))}"]
        refused = f"{sum(row.refused.values())} of {len(row.refused)}" if row.refused else "–"
        title = f"{name} {row.server.version}".strip()
        start = _median(results.starts.get(row.server.name, []))
        lines.append(
            f"| {title} | {row.requests} | {one:.0f} | {ratios[0]} | {many:.0f} | {ratios[1]} "
            f"| {start:.0f} | {results.memory.get(name, 0):.0f} | {refused} |"
        )
    lines += ["", *_compared(results), ""]
    takes = _median([_median(row.client) for row in results.rows.values()])
    lines.append(f"The client itself takes {takes:.1f} ms of processor time a login, on the same cores.")
    for name, row in results.rows.items():
        missing = [check for check, holds in row.refused.items() if not holds]
        if missing:
            lines.append(f"- {name} does not refuse: {', '.join(missing)}.")
    lines += [f"- Missing: {sentence}." for sentence in results.missing]
    return "\n".join(lines)


def _compared(results: Results) -> list[str]:
    """Return a table with the speed of this provider divided by that of a peer or baseline with the same dialect."""
    pairs = [(ours, peer) for ours, peer in COMPARED if ours in results.rows and peer in results.rows]
    if not pairs:
        return []
    lines = [f"| the same dialect | one client | {MANY_CLIENTS} clients |", "|---|---:|---:|"]
    for mine, peer in pairs:
        one = _ratio(_median(results.rows[mine].one), _median(results.rows[peer].one))
        many = _ratio(_median(results.rows[mine].many), _median(results.rows[peer].many))
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
