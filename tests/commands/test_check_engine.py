"""The engine of the attacks: verdicts, declarations, the browser, and the sitecustomize of further instances."""

import datetime
import os
import re
import subprocess
import sys
from http.client import HTTPMessage
from urllib.parse import urlsplit

import pytest

from tools.check.apps import login_folders
from tools.check.browser import Browser, Cookie, target_host
from tools.check.catalogue import Outcome, Verdict, declarations, declared_of_tried, judge
from tools.check.instances import PREDICTABLE, VERBOSE
from tools.check.report import lines_of, verdicts_in
from tools.check.rows import ROWS
from tools.check.stopping_lines import STOPPING_LINES
from tools.places import ROOT

PASS, FAIL, CRASH, HANG, BROKEN = map(
    Outcome, (Verdict.PASS, Verdict.FAIL, Verdict.CRASH, Verdict.HANG, Verdict.BROKEN)
)
NOT_APPLICABLE = Outcome(Verdict.NOT_APPLICABLE, "it has one provider")


@pytest.mark.parametrize(
    ("outcomes", "declared", "verdict"),
    [
        ([("a", PASS), ("b", PASS)], set(), Verdict.PASS),
        ([("a", PASS), ("b", FAIL)], set(), Verdict.FAIL),
        ([("a", PASS), ("b", FAIL)], {"b"}, Verdict.DECLARED),
        ([("a", PASS), ("b", FAIL)], {""}, Verdict.DECLARED),
        ([("a", HANG), ("b", FAIL)], {"b"}, Verdict.HANG),
        ([("a", CRASH), ("b", FAIL)], set(), Verdict.FAIL),
        ([("a", BROKEN), ("b", FAIL)], set(), Verdict.FAIL),
        ([("a", BROKEN), ("b", HANG)], set(), Verdict.HANG),
        ([("a", BROKEN), ("b", PASS)], set(), Verdict.BROKEN),
        ([("a", BROKEN), ("b", FAIL)], {"b"}, Verdict.BROKEN),
        ([("a", PASS), ("b", NOT_APPLICABLE)], set(), Verdict.PASS),
        ([("a", NOT_APPLICABLE)], set(), Verdict.NOT_APPLICABLE),
        ([("a", PASS), ("b", PASS)], {"b"}, Verdict.BROKEN),
        ([("a", NOT_APPLICABLE)], {"a"}, Verdict.BROKEN),
        ([], set(), Verdict.BROKEN),
    ],
)
def test_the_worst_variant_decides(outcomes, declared, verdict):
    """The worst variant decides a row, and a declaration of a variant that passes is BROKEN."""
    assert judge(outcomes, declared).verdict is verdict


@pytest.mark.parametrize(
    ("outcomes", "declared", "left"),
    [
        ({"a": FAIL, "b": PASS}, {"a", "b"}, {"a", "b"}),
        ({"a": FAIL, "b": NOT_APPLICABLE}, {"a", "b"}, {"a"}),
        ({"a": FAIL}, {"a", "b"}, {"a"}),
        ({"a": FAIL}, {""}, {""}),
        ({"": NOT_APPLICABLE}, {"", "a"}, set()),
    ],
)
def test_only_declarations_of_tried_variants_count(outcomes, declared, left):
    """From outside, some variants cannot be tried; a declaration of one of them is not an error."""
    assert declared_of_tried(outcomes, declared) == left


@pytest.mark.parametrize(
    ("words", "declared"),
    [
        ("waits ([RP-33](../docs/security.md#rp-33) b, e, f).", {"RP-33": {"b", "e", "f"}}),
        ("waits (RP-33 b and e).", {"RP-33": {"b", "e"}}),
        ("a copy (RP-60 a), and\nlogs (RP-68\nc).", {"RP-60": {"a"}, "RP-68": {"c"}}),
        ("the whole row (RP-08).", {"RP-08": {""}}),
        ("RP-60 a copy of the cookie is good.", {"RP-60": {""}}),
        ("nothing", {}),
    ],
)
def test_reads_what_a_readme_declares(tmp_path, words, declared):
    """Only the section counts, with links and line ends in it; a letter counts only before a comma or a bracket."""
    text = f"# App\n\nRP-01 a).\n\n## What this app does not do\n- {words}\n\n## Things to try\n(RP-02 b)\n"
    (tmp_path / "README.md").write_text(text, "utf-8")

    assert declarations(tmp_path) == declared


def test_an_app_without_a_readme_declares_nothing(tmp_path):
    """An app without a README declares nothing."""
    assert declarations(tmp_path) == {}


@pytest.mark.parametrize(
    "location",
    ["//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", " //evil.example",
     "https:evil.example", "https:///evil.example", "http://localhost:5000@evil.example", "http:\\\\evil.example",
     "HTTP://EVIL.example/", "//evil.example\\@localhost:5000"],
)  # fmt: skip
def test_finds_the_host_that_a_browser_opens(location):
    """A browser takes a backslash for a slash, and ignores tabs and slashes beyond the second."""
    assert target_host(location, "http://localhost:5000/x") == "evil.example"


@pytest.mark.parametrize(
    "location",
    ["/", "/x//evil.example", "x", "?next=//evil.example", "http:x", "/%2f%2fevil.example", "#//evil.example"],
)
def test_finds_the_own_host(location):
    """A browser stays at the host for these locations, although they contain another one."""
    assert target_host(location, "http://localhost:5000/x") == "localhost:5000"


def test_finds_the_scheme_of_a_script():
    """For a javascript: URL, which a browser runs, the scheme is returned."""
    assert target_host("\x01 java\nscript:alert(1)", "http://localhost:5000/") == "javascript:"


def test_reads_the_verdicts_of_a_page():
    """The verdicts are read from the table of docs/security.md."""
    page = (
        "| | | a | b |\n|---|---|---|---|\n"
        "| [RP-01](#x) | T | PASS | [DECLARED](../b/README.md#what-this-app-does-not-do) |\n"
    )

    assert verdicts_in(page) == {("RP-01", "a"): "PASS", ("RP-01", "b"): "DECLARED"}


def test_every_pattern_of_a_stopping_line_matches():
    """Each pattern matches a line of an app that passes its row; else docs/security.md shows no line for it."""
    verdicts = verdicts_in((ROOT / "docs" / "security.md").read_text("utf-8"))
    patterns = [(row, pattern) for row, patterns in STOPPING_LINES.items() for pattern in patterns]
    shown = {
        (row, pattern)
        for folder in login_folders()
        for _, line in lines_of(folder, ROOT)
        for row, pattern in patterns
        if verdicts[row, folder.rpartition("/")[2]] == "PASS" and re.search(pattern, line)
    }

    assert [pair for pair in patterns if pair not in shown] == []


def test_the_catalogue_is_complete():
    """The catalogue has 70 rows, each with a title, a sentence, a source and at least one variant."""
    assert list(ROWS) == [f"RP-{number:02}" for number in range(1, 71)]
    assert all(row.title and row.plain.endswith(".") and row.source and row.variants for row in ROWS.values())
    assert len({row.title for row in ROWS.values()}) == 70


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        ("Path=/; Secure; HttpOnly", True),
        ("Path=/", False),
        ("Path=/login; Secure", False),
        ("Path=/; Secure; Domain=example.com", False),
    ],
)
def test_keeps_the_rules_of_the_host_prefix(flags, kept):
    """A cookie whose name begins with __Host- must have Secure and Path=/, and no Domain."""
    browser, headers = Browser(), HTTPMessage()
    headers["Set-Cookie"] = f"__Host-app=1; {flags}"
    browser._store_cookies("app.example.com", headers)

    assert (browser.cookie_value("__Host-app") is not None) is kept


def test_keeps_the_rules_of_same_site():
    """The browser sends a Lax cookie with a link from another site, and not with a form that another site posts."""
    browser = Browser()
    for name, flags in (
        ("lax", {"samesite": "Lax"}),
        ("strict", {"samesite": "Strict"}),
        ("none", {"samesite": "None"}),
    ):
        browser.cookies["localhost", name] = Cookie("localhost", name, "1", {**flags, "path": "/"})
    url = urlsplit("http://localhost:5000/callback")

    assert browser._cookies_for(url, "GET", True) == "lax=1; none=1"
    assert browser._cookies_for(url, "POST", True) == "none=1"
    assert browser._cookies_for(url, "POST", False) == "lax=1; strict=1; none=1"


def run_with(customize, folder, program):
    """Run a program in a Python with this sitecustomize, as the instances of the apps, and return its output."""
    (folder / "sitecustomize.py").write_text(customize, "utf-8")
    command, environment = [sys.executable, "-c", program], {**os.environ, "PYTHONPATH": str(folder)}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=20)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


@pytest.mark.parametrize("seconds", [0, 86_400])
def test_moves_the_clock_of_an_app(tmp_path, seconds):
    """The clock of time and of datetime is ahead by the seconds in the file."""
    (tmp_path / "clock").write_text(str(seconds), "utf-8")
    program = "import time; from datetime import datetime, UTC; print(time.time(), datetime.now(UTC).timestamp())"
    now = datetime.datetime.now().timestamp()

    assert all(abs(float(found) - seconds - now) < 60 for found in run_with(VERBOSE, tmp_path, program))


def test_makes_random_numbers_predictable(tmp_path):
    """Python's random gives the same numbers twice; secrets, from the operating system, does not."""
    program = """
import random, secrets
for make in (lambda: random.getrandbits(128), lambda: random.choices("abc", k=9), lambda: secrets.token_hex()):
    print(make() == make())
"""

    assert run_with(PREDICTABLE, tmp_path, program) == ["True", "True", "False"]
