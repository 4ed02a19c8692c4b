"""Measure the four ways, and write docs/comparison.md and the short table of README.md."""

from __future__ import annotations

import datetime
import signal
import sys
from contextlib import ExitStack

from fake_provider import serve

from . import measure, probes, report

STARTS, LOGINS = 5, 40  # of each app


def say(sentence: str) -> None:
    """Print without buffering."""
    print(sentence, flush=True)


def main() -> int:
    """Write the pages, and print each step."""
    with serve() as provider:
        say("Logging in at every app, and counting the messages.")
        with ExitStack() as stack:
            apps = {folder: stack.enter_context(measure.running(folder, provider)) for folder in measure.WAYS}
            messages = {}
            for folder, app in apps.items():
                provider.reset()
                messages[folder] = measure.messages(app, provider)
            say(f"Logging in {LOGINS} times at each, in turns.")
            logins = measure.login_times(apps, rounds=LOGINS)
            memory = {folder: measure.memory(app) for folder, app in apps.items()}
        say("Attacking the minimal login of each library.")
        levels = probes.levels(provider)
        say(f"Starting each app {STARTS} times, in turns.")
        starts = measure.start_up(list(measure.WAYS), provider, STARTS)
    tables = report.as_tables(messages, levels)
    megabytes = {folder: measure.megabytes(folder) for folder in measure.WAYS}
    day = datetime.date.today().strftime("%d %B %Y").lstrip("0")
    first = report.first_part(tables)
    before = report.PAGE.read_text("utf-8").partition(report.MEASURED)[0] if report.PAGE.exists() else ""
    second = report.second_part(starts, logins, memory, megabytes, day)
    report.PAGE.write_text(first + second, "utf-8", newline="\n")
    readme = report.with_short_table(report.README.read_text("utf-8"), tables)
    report.README.write_text(readme, "utf-8", newline="\n")
    say("docs/comparison.md is written; " + ("its first part is as before." if before == first else "it has changed."))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM stops the apps too, as Ctrl-C does
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
