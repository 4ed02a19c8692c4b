"""docs/comparison.md has the results of a run, and a release of a library that changes them makes a test fail.

Times, memory and megabytes differ between machines and are not compared, nor are versions of packages.
"""

import re
import subprocess
import sys
from textwrap import dedent

import psutil
import pytest
from packaging.requirements import Requirement

from fake_provider.gallery import source
from tools.check.fork_server import FORK_SERVERS
from tools.comparison import measure, probes, report
from tools.places import PYTHON, ROOT

STALE = f"docs/comparison.md is not what a run finds: run {report.COMMAND}"
PAGE = report.PAGE.read_text("utf-8")
TABLES = report.tables_of(PAGE)
OUR_APPS = {  # where the app of a way logs in, for the probes
    "raw_requests": ("GitHub", {"dialect": "github", "profile": "user"}),
    "step3_login": (None, {"dialect": "simplelogin", "profile": "userinfo"}),
    "github_dance": ("GitHub", {"dialect": "github", "profile": "user"}),
    "okta_oidc": (None, {"dialect": "okta", "profile": "userinfo"}),
}
ONLY_MINIMAL = {"https", "no_redirects", "timeout", "netrc", "algorithm"}  # they restart the login, or read its output


# The page


@pytest.mark.parametrize("folder", measure.WAYS)
def test_lines_packages_and_verdicts_are_those_of_the_page(folder):
    """Lines, packages, and the verdicts of docs/security.md can be counted without a run."""
    assert report.line_row(folder) in TABLES["Lines"], STALE
    assert report.package_row(folder) in TABLES["Packages"], STALE
    assert report.verdict_row(folder) in TABLES["Attacks"], STALE


@pytest.mark.parametrize("folder", measure.WAYS)
def test_messages_are_those_of_the_page(provider, folder):
    """The first login of an app that has just been started and the next one send the messages on the page."""
    with measure.running(folder, provider) as app:
        found = measure.messages(app, provider)

    assert report.message_row(folder, found) in TABLES["Messages"], STALE


@pytest.mark.parametrize("folder", measure.FOUR)
def test_protections_are_those_of_the_page(provider, folder):
    """The library's minimal login has the protections on the page, by default or with its options.

    These are twenty attacks on two programs, each with its control: they take a few seconds.
    """
    levels = probes.levels(provider, [folder])
    column = report.HEADS["Protections"].index(measure.WAYS[folder]["way"])
    written = {row[0]: row[column] for row in TABLES["Protections"]}
    found = {
        protection["name"]: report.protection_cell(protection, folder, levels[protection["id"]][folder])
        for protection in probes.PROTECTIONS
    }

    assert written == found, STALE


@pytest.mark.parametrize("folder", measure.FOUR)
def test_our_app_has_what_is_by_hand(provider, start_app, folder):
    """The app of each way withstands the probes that its library does not."""
    app = start_app(folder)
    app.provider_name, facts = OUR_APPS[folder]
    login = probes.MinimalLogin(facts, app, provider, options=False)
    column = report.HEADS["Protections"].index(measure.WAYS[folder]["way"])
    rows = zip(TABLES["Protections"], probes.PROTECTIONS, strict=True)
    by_hand = [protection["id"] for row, protection in rows if row[column] == "by hand"]
    try:
        failed = [name for name in by_hand if name not in ONLY_MINIMAL and not probes.withstands(name, login)]
    finally:
        login.close()
        app.provider_name = None

    assert len(by_hand) > 4
    assert failed == []


def test_the_text_of_the_page_is_that_of_its_template():
    """Between its tables, the page has the text that report.py writes."""
    assert report.first_part(TABLES) == PAGE.partition(report.MEASURED)[0], STALE


def test_the_readme_has_the_short_table():
    """README.md has the same figures as docs/comparison.md."""
    readme = report.README.read_text("utf-8")

    assert report.short_rows(TABLES) == report.tables_of(readme)["Which way for what"], STALE
    assert report.with_short_table(readme, TABLES) == readme, STALE


def test_the_measured_part_says_when_and_where():
    """Figures of one machine have a day, its cores and its Python, and raw requests are 1."""
    measured = PAGE.partition(report.MEASURED)[2]

    assert re.search(r"\d+ \w+ 20\d\d, \d+ cores, .*Python 3\.\d+", measured)
    assert re.search(r"\| \[raw_requests\]\S+ \| 1\.00 \| 1\.00 \|", measured)


# A new release of a library, as in the weekly run


def release(folder, name, *needs):
    """Make the metadata of an installed release of a package, with these dependencies."""
    home = folder / f"{name.replace('-', '_')}-99.0.dist-info"
    home.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 99.0", *(f"Requires-Dist: {need}" for need in needs)]
    (home / "METADATA").write_text("\n".join(lines) + "\n", "utf-8")


def test_a_release_with_one_more_dependency_is_noticed(tmp_path, monkeypatch):
    """A new package below a library changes the page; a new version alone does not."""
    row = report.package_row("step3_login")
    release(tmp_path, "requests-oauthlib", "oauthlib>=3", "requests>=2")
    monkeypatch.syspath_prepend(str(tmp_path))
    as_before = report.package_row("step3_login")
    release(tmp_path, "oauthlib", "one-more")

    assert as_before == row
    assert report.package_row("step3_login")[2:] != row[2:]
    assert "one-more" in measure.brings("step3_login")


PKCE_BY_ITSELF = """
from flask_dance.consumer import OAuth2ConsumerBlueprint
OAuth2ConsumerBlueprint.__init__.__kwdefaults__["use_pkce"] = True
"""
ID_TOKENS_UNREAD = """
from authlib.integrations.base_client.sync_openid import OpenIDMixin
OpenIDMixin.parse_id_token = lambda client, token, nonce, **options: None
"""
ONE_ALGORITHM = """
from authlib.integrations.base_client.sync_openid import OpenIDMixin
parse = OpenIDMixin.parse_id_token
def parse_id_token(client, *arguments, **options):
    client.load_server_metadata()["id_token_signing_alg_values_supported"] = ["RS256"]
    return parse(client, *arguments, **options)
OpenIDMixin.parse_id_token = parse_id_token
"""


@pytest.mark.parametrize(
    ("folder", "change", "probe_names", "expected"),
    [
        ("github_dance", PKCE_BY_ITSELF, ["pkce"], True),
        ("okta_oidc", ID_TOKENS_UNREAD, ["nonce", "id_token_signed"], False),
        ("okta_oidc", ONE_ALGORITHM, ["algorithm"], True),
    ],
    ids=["PKCE by itself", "ID tokens unread", "one algorithm"],
)
def test_a_release_with_another_default_is_noticed(provider, tmp_path, folder, change, probe_names, expected):
    """When a library adds or drops a default protection, the page is stale."""
    (tmp_path / "sitecustomize.py").write_text(change, "utf-8")
    column = report.HEADS["Protections"].index(measure.WAYS[folder]["way"])
    rows = zip(TABLES["Protections"], probes.PROTECTIONS, strict=True)
    written = {protection["id"]: row[column] == "**default**" for row, protection in rows}
    with probes.minimal(folder, provider, PYTHONPATH=str(tmp_path)) as newest:
        for name in probe_names:
            assert probes.withstands(name, newest) is expected is not written[name]


def test_a_login_that_refuses_all_users_withstands_nothing(provider):
    """Each probe ends with a successful login as its control."""
    with (
        probes.minimal("raw_requests", provider, CLIENT_SECRET="wrong") as login,
        pytest.raises(RuntimeError, match="logs no user in"),
    ):
        probes.withstands("issuer", login)


# Counting


def test_only_code_is_counted(tmp_path, monkeypatch):
    """Blank lines, comments and docstrings are not counted; HTML is counted separately."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "app.py").write_text(
        dedent('''
            """What it is.

            And more.
            """

            import flask  # counted

            # not counted
            PAGE = """<p>
              {{ text }}

            </p>"""
            TEXT = """no
            page"""


            def home():
                """Nor this."""
                return flask.render_template_string(
                    PAGE,
                )
        '''),
        "utf-8",
    )
    (tmp_path / "app" / "beside.py").write_text("print()\n", "utf-8")
    monkeypatch.setattr(measure, "ROOT", tmp_path)

    assert measure.lines("app") == {"login": 7, "safe": 0, "more": 0, "code": 7, "templates": 3}


@pytest.mark.parametrize("folder", measure.WAYS)
def test_the_gallery_shows_the_same_number_of_lines(folder):
    """The gallery and docs/comparison.md count the same lines of an app as code."""
    assert source.count_lines(ROOT / folder, ROOT) == measure.lines(folder)["code"] > 0


def test_the_parts_of_an_app_are_counted_apart(tmp_path, monkeypatch):
    """A section ends at the next headline, `more` is not counted as `safe`, and the rest is the login."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "app.py").write_text(
        dedent("""
            import checks

            # The login


            def home():
                return "Hello"


            # What makes it safe: requests


            # A comment that ends no section.
            @checks.each
            def check():
                pass


            def link():
                pass


            # The end

            home()
        """),
        "utf-8",
    )
    (tmp_path / "app" / "checks.py").write_text("def each(function):\n    return function\n", "utf-8")
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    parts = {"safe": ["checks.py", "app.py:What makes it safe: requests"], "more": ["app.py:link"]}
    monkeypatch.setitem(measure.WAYS, "app", parts)

    assert measure.lines("app") == {"login": 4, "safe": 5, "more": 2, "code": 11, "templates": 0}


@pytest.mark.parametrize("folder", measure.WAYS)
def test_each_section_on_safety_is_counted_as_such(folder):
    """Each headline "What makes it safe" of an app is in ways.toml."""
    parts = measure.WAYS[folder]["safe"] + measure.WAYS[folder]["more"]
    sections = [
        f"{file.name}:{headline}"
        for file in source.app_files(ROOT / folder, ROOT)
        if file.suffix == ".py" and file.name not in parts
        for headline in measure.headlines(file.read_text("utf-8"))
        if headline.startswith("What makes it safe")
    ]

    assert sections
    assert [section for section in sections if section not in parts] == []


@pytest.mark.parametrize("part", ["gone.py", "app.py:gone", "app.py:What makes it safe: gone", "terminal.py"])
def test_a_part_that_disappears_is_an_error(monkeypatch, part):
    """A headline, a definition or a module in ways.toml that the app does not have is named in an error."""
    monkeypatch.setitem(measure.WAYS, "raw_requests", {"safe": [part], "more": []})

    with pytest.raises(ValueError, match=rf"has no .*{part.rpartition(':')[2]} any more"):
        measure.lines("raw_requests")


def test_packages_are_those_of_one_system(tmp_path, monkeypatch):
    """Dependencies for Windows alone are never counted; those of an extra are, if the extra is required."""
    release(tmp_path, "a", 'b; sys_platform == "win32"', 'c; python_version < "3.12"', 'd; extra == "more"', "e")
    release(tmp_path, "e", "a[more]")
    release(tmp_path, "f", "a")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert measure.closure([Requirement("f")]) == ["a", "d", "e", "f"]
    assert measure.closure([Requirement("b>=1")]) == ["b"]


def test_times_are_of_successful_logins(provider):
    """Both kinds of times have a figure a round, and a failed login is an error."""
    with measure.running("step3_login", provider) as app:
        times = measure.login_times({"step3_login": app}, rounds=2)
        provider.inject_fault("token", status=500, times=9)
        with pytest.raises(RuntimeError, match="step3_login: the login ended at"):
            measure.login_times({"step3_login": app}, rounds=2)
        provider.clear_faults()
    starts = measure.start_up(["step3_login"], provider, rounds=1)

    assert [len(times["step3_login"]), len(starts["step3_login"])] == [2, 1]
    assert all(seconds > 0 for seconds in times["step3_login"] + starts["step3_login"])


def test_apps_are_started_as_a_learner_starts_them(provider, monkeypatch):
    """Start-up time and memory are those of a new Python, and not of a fork with all libraries in its memory."""
    monkeypatch.setattr(FORK_SERVERS, "start", lambda *arguments: pytest.fail("this app is a fork"))
    measure.start_up(["step3_login"], provider, rounds=0)
    with measure.running("step3_login", provider) as app:
        command = psutil.Process(app.process.pid).cmdline()

    assert command == [sys.executable, "app.py"]


def test_compare_takes_no_arguments():
    """An argument is an error of one sentence, and nothing is run."""
    command = [sys.executable, "learn.py", "compare", "now"]  # not in this process: main() ends by ignoring Ctrl-C
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"compare takes no arguments: {PYTHON} learn.py compare\n"
