"""The fork server: a forked app is the same as one started by `python app.py`, which every app can be."""

import json
import os
import select
import signal
import subprocess
import sys
import textwrap

import pytest
import requests

from tools.apps import app_folders
from tools.check import fork_server
from tools.check.apps import prepare, wait_for
from tools.places import ROOT

PROBE = """
import json, os, sys, __main__
print(json.dumps([os.getcwd(), sys.argv, sys.path[0], __name__, __main__.__file__, sorted(os.environ.items())]))
print("to stderr", file=sys.stderr)
import secrets, random, time
print(secrets.token_hex(), random.random())
time.sleep(60)
"""
forked_only = pytest.mark.skipif(
    not fork_server.IS_ENABLED, reason="the fork server works on Linux only, or is switched off"
)


@pytest.fixture
def probe(tmp_path):
    """The folder of an app that prints its folder, arguments and environment."""
    (tmp_path / "app.py").write_text(PROBE, "utf-8")
    return tmp_path


@pytest.mark.parametrize("folder", app_folders())
def test_starts_by_its_command(running_provider, tmp_path, folder):
    """`python app.py` in the app's folder starts the app, and it serves its home page."""
    app = prepare(folder, running_provider, tmp_path)
    app.start(sys.executable, "app.py")
    try:
        page = requests.get(app.url, timeout=10)
    finally:
        app.stop()

    assert page.status_code == 200 and "<title>" in page.text


@forked_only
def test_forked_app_gets_the_same_as_a_new_python(probe):
    """Folder, arguments, path, file and environment are those of `python app.py`; the output goes to the log."""
    environment = {**os.environ, "PORT": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([sys.executable, "app.py"], cwd=probe, env=environment, stdout=subprocess.PIPE) as new:
        expected = json.loads(new.stdout.readline())
        new.kill()
    forked = fork_server.FORK_SERVERS.start(probe, environment, probe / "app.log")
    try:
        lines = wait_for(lambda: lines_of(probe / "app.log", 3), "three lines in the log")
    finally:
        forked.kill()
        forked.wait(10)

    assert json.loads(lines[0]) == expected
    assert "to stderr" in lines


@forked_only
def test_forked_apps_share_no_random_numbers(probe):
    """Two forked apps draw different random numbers; with the same ones, each could forge the other's state."""
    apps = [fork_server.FORK_SERVERS.start(probe, dict(os.environ), probe / f"{number}.log") for number in range(2)]
    try:
        drawn = [wait_for(lambda log=f"{n}.log": lines_of(probe / log, 3), "three lines")[-1].split() for n in range(2)]
    finally:
        for app in apps:
            app.kill()
            app.wait(10)

    assert len(drawn[0]) == len(drawn[1]) == 2
    assert not set(drawn[0]) & set(drawn[1])


@forked_only
def test_a_sitecustomize_runs_before_the_libraries(probe):
    """From the second app on, apps with the same sitecustomize share a server, which runs it before all imports."""
    program = "from datetime import datetime; import itsdangerous.timed as t; print(t.datetime.now(), flush=True)"
    (probe / "app.py").write_text(program, "utf-8")
    (probe / "site").mkdir()
    code = (
        f"import datetime\nclass D(datetime.datetime):\n    now = lambda *_: 'noon'\ndatetime.datetime = D  # {probe}"
    )
    (probe / "site" / "sitecustomize.py").write_text(code, "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(probe / "site")}

    assert fork_server.FORK_SERVERS.start(probe, environment, probe / "app.log") is None
    app = fork_server.FORK_SERVERS.start(probe, environment, probe / "app.log")
    app.wait(10)
    assert (probe / "app.log").read_text("utf-8") == "noon\n"


@forked_only
def test_an_app_that_ends_is_noticed(tmp_path):
    """When a forked app ends, its last output is in the log and its process is gone."""
    (tmp_path / "app.py").write_text("raise SystemExit('SECRET_KEY is missing.')", "utf-8")
    app = fork_server.FORK_SERVERS.start(tmp_path, dict(os.environ), tmp_path / "app.log")

    assert app.wait(10) != 0
    assert (tmp_path / "app.log").read_text("utf-8") == "SECRET_KEY is missing.\n"


@forked_only
@pytest.mark.parametrize(
    ("program", "status"),
    [("", 0), ("raise SystemExit", 0), ("raise SystemExit(3)", 3), ("raise SystemExit('No.')", 1), ("1 / 0", 1)],
)
def test_tells_how_an_app_has_ended(tmp_path, program, status):
    """The exit status of a forked app is that of `python app.py`, also when the app is started a second time."""
    (tmp_path / "app.py").write_text("raise SystemExit(7)", "utf-8")
    fork_server.FORK_SERVERS.start(tmp_path, dict(os.environ), tmp_path / "app.log").wait(10)
    (tmp_path / "app.py").write_text(program, "utf-8")
    app = fork_server.FORK_SERVERS.start(tmp_path, dict(os.environ), tmp_path / "app.log")

    assert app.wait(10) == status


@forked_only
def test_a_template_is_compiled_once(tmp_path):
    """A forked app renders a template from its text as any app does, and compiles each text once."""
    program = """
import flask, jinja2.compiler
compiled = []
generate = jinja2.compiler.CodeGenerator.visit_Template
jinja2.compiler.CodeGenerator.visit_Template = lambda *args: (compiled.append(1), generate(*args))
with flask.Flask("app").app_context():
    texts = [flask.render_template_string(text, x="<1>") for text in ("{{ x }}", "{{ x }}!", "{{ x }}")]
print(texts, len(compiled), flush=True)
"""
    (tmp_path / "app.py").write_text(program, "utf-8")
    fork_server.FORK_SERVERS.start(tmp_path, dict(os.environ), tmp_path / "app.log").wait(10)

    assert (tmp_path / "app.log").read_text("utf-8") == "['&lt;1&gt;', '&lt;1&gt;!', '&lt;1&gt;'] 2\n"


@forked_only
def test_a_killed_suite_leaves_no_app(probe):
    """When the process that started the apps is killed, the fork server and its children end."""
    code = f"""
        import os, sys, time, pathlib
        sys.path.insert(0, {str(ROOT)!r})
        from tools.check.fork_server import FORK_SERVERS
        home = pathlib.Path({str(probe)!r})
        app = FORK_SERVERS.start(home, dict(os.environ), home / "app.log")
        print(app.pid, FORK_SERVERS._servers[''].process_id, flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as suite:
        pids = [int(word) for word in suite.stdout.readline().split()]
        handles = [os.pidfd_open(pid) for pid in pids]
        suite.send_signal(signal.SIGKILL)

    assert len(handles) == 2
    try:
        for handle in handles:
            wait_for(lambda handle=handle: has_ended(handle), "a process to end")
    finally:
        for handle in handles:
            os.close(handle)


def lines_of(file, number):
    """Return the lines of a file when it has so many, else None."""
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return lines if len(lines) >= number else None


def has_ended(handle):
    """Tell whether the process of a pidfd has ended."""
    return bool(select.select([handle], [], [], 0)[0])
