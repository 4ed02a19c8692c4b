"""The notebooks: their outputs are true, their form is uniform, and JupyterLab starts and stops without leftovers."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import psutil
import pytest
import requests

import tools.learn.notebooks
from fake_provider import free_port
from tools.check.apps import wait_for
from tools.places import ROOT

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SANITIZE = FOLDER / "sanitize.cfg"
MARK = "NOTEBOOKS_OF_THIS_TEST"  # in the environment of each process that a test starts
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
MACHINE = [str(ROOT), str(Path.home()) + os.sep, "/tmp/", sys.prefix]  # noqa: S108 - looked for, not used
NOTES = "@jupyterlab/apputils-extension:notification"  # where JupyterLab keeps whether it may fetch news
CLOCK = re.compile(r"\b\d\d:\d\d:\d\d\b")
LINK = re.compile(r"\]\(([^)#]+)(#[^)]*)?\)")

START_JUPYTERLAB = (
    "import pathlib, sys; from tools.learn.main import _handle_signals; "
    "from tools.learn.notebooks import run_jupyterlab; _handle_signals(); "
    "sys.exit(run_jupyterlab(pathlib.Path(sys.executable), ['--port', '{port}', '--allow-root'], "
    "{provider_port}, with_browser=False))"
)

SANITISED = {  # a line of an output: the line that is compared
    "    state=Rk3f…": "    state=VALUE",
    "?code=Rk3fAbc-_~&state=x%2Fy": "?code=VALUE&state=VALUE",
    "    Cookie: a=Rk3f…; b=.eJx…": "    Cookie: a=VALUE; b=VALUE",
    "    Set-Cookie: okta_oidc_login_Rk3f…=.eJx…; HttpOnly": "    Set-Cookie: okta_oidc_login_STATE=VALUE; HttpOnly",
    "{'code': 'Rk3f', 'scope': 'openid'}": "{'code': 'VALUE', 'scope': 'openid'}",
    '"iat": 1795253884, "ver": 1': '"iat": SECONDS, "ver": 1',
    "Authorization: Bearer Rk3f…": "Authorization: Bearer VALUE",
    "http://localhost:41235/callback": "http://localhost:PORT/callback",
    "redirect_uri=http%3A%2F%2Flocalhost%3A41235%2F": "redirect_uri=http%3A%2F%2Flocalhost%3APORT%2F",
    "→ 400 Bad Request": "→ 400 Bad Request",
    "    error=invalid_grant": "    error=invalid_grant",
    "    client_id=fake-step3-login": "    client_id=fake-step3-login",
    "    sub=1001": "    sub=1001",
    "    | Logged in as Ada Lovelace": "    | Logged in as Ada Lovelace",
    "    code_challenge_method=S256": "    code_challenge_method=S256",
}


@pytest.fixture(params=NOTEBOOKS, ids=lambda file: file.stem)
def file(request):
    """Each notebook in turn."""
    return request.param


@pytest.fixture
def notebook(file):
    """Each notebook in turn, as JSON."""
    return json.loads(file.read_text("utf-8"))


@pytest.fixture
def mark(tmp_path):
    """An environment that marks the processes with it; those that remain are killed."""
    with marking(tmp_path) as environment:
        yield environment


@contextmanager
def marking(folder):
    """Yield a marked environment, and kill the processes that remain."""
    name = uuid.uuid4().hex
    yield {**os.environ, MARK: name, "IPYTHONDIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    for process in marked(name):
        process.kill()


@pytest.fixture(scope="module")
def stored_run(request, tmp_path_factory):
    """Run nbval once on the chosen notebooks, because it takes seconds to load.

    Returns the output, and the mark of the processes.
    """
    items = [item for item in request.session.items if item.name.startswith("test_stored_outputs_are_true[")]
    files = {item.callspec.params["file"] for item in items}
    with marking(tmp_path_factory.mktemp("stored")) as environment:
        yield nbval(sorted(files), environment, "-rA").stdout, environment[MARK]


def test_there_are_seven_notebooks():
    """An empty folder would pass everything here."""
    assert [file.name[0] for file in NOTEBOOKS] == list("1234567")


def test_stored_outputs_are_true(file, notebook, stored_run):
    """When it is run again, every cell has its stored output, and no process is left."""
    said, name = stored_run
    outcomes = re.findall(rf"^(PASSED|FAILED|ERROR) {re.escape(file.name)}(?:::|$)", said, re.MULTILINE)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]

    assert outcomes == ["PASSED"] * len(code), said[-6000:]
    wait_for(lambda: not marked(name), "all processes to end")


def test_a_wrong_stored_output_is_found(tmp_path, mark):
    """One changed word in one stored output is a failure; unchanged, the same cells pass."""
    notebook = json.loads(NOTEBOOKS[0].read_text("utf-8"))
    first = next(n for n, cell in enumerate(notebook["cells"]) if "→ 200 OK" in json.dumps(cell, ensure_ascii=False))
    true = json.dumps({**notebook, "cells": notebook["cells"][: first + 1]}, ensure_ascii=False)
    (tmp_path / "true.ipynb").write_text(true, "utf-8")
    (tmp_path / "wrong.ipynb").write_text(true.replace("→ 200 OK", "→ 201 OK", 1), "utf-8")

    said = nbval([tmp_path], {**mark, "PYTHONPATH": str(FOLDER)}).stdout

    assert "201 OK" in said and "1 failed" in said
    assert re.findall(r"^FAILED (\S+)::", said, re.MULTILINE) == ["wrong.ipynb"]


def test_only_what_is_random_is_sanitised():
    """The keys stay, and all values that the lesson is about."""
    from nbval.plugin import get_sanitize_patterns  # only here, because it takes seconds

    patterns = get_sanitize_patterns(SANITIZE.read_text("utf-8"))

    def sanitised(text):
        for pattern, replacement in patterns:
            text = re.sub(pattern, replacement, text)
        return text

    assert {text: sanitised(text) for text in SANITISED} == SANITISED


def test_every_pattern_has_its_comment():
    """sanitize.cfg has a comment above each pattern."""
    blocks = SANITIZE.read_text("utf-8").strip().split("\n\n")

    assert all(re.fullmatch(r"(#.*\n)+regex: .*\nreplace: .*", block) for block in blocks[1:])


def test_kernel_killed_leaves_nothing(mark):
    """When a kernel is killed with its process group, provider and app end too, and their folders are removed."""
    kernel = in_kernel(mark, "p = start_provider(); a = start_app('step3_login', p); print(a.folder, p.url, a.url)")
    folder, provider, app = kernel.stdout.readline().split()
    assert requests.get(app, timeout=5).status_code == requests.get(provider, timeout=5).status_code == 200

    if sys.platform == "win32":
        kernel.kill()
    else:
        os.killpg(kernel.pid, signal.SIGKILL)
    kernel.wait()
    kernel.stdout.close()

    wait_for(lambda: not marked(mark[MARK]), "all processes to end")
    assert not Path(folder).exists()


def test_app_that_does_not_start_says_why(mark, tmp_path):
    """The output of the app is in the error."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "app.py").write_text("raise SystemExit('I will not.')", "utf-8")
    (tmp_path / "broken" / ".env.example").touch()
    with in_kernel(mark, f"start_app({str(tmp_path / 'broken')!r}, start_provider())", stderr=subprocess.STDOUT) as run:
        said = run.communicate(timeout=60)[0]

    assert "did not start: I will not." in said


def test_cells_are_few_and_short(notebook):
    """Under 40 cells, at most 10 lines of code in one."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]

    assert len(notebook["cells"]) < 40
    assert max(len(source(cell).splitlines()) for cell in code) <= 10


def test_notebook_has_its_parts(notebook):
    """It says first what you do, learn and need; it has teaching notes, exercises and folded solutions."""
    first, text = source(notebook["cells"][0]), "".join(map(source, notebook["cells"]))
    tags = [tag for cell in notebook["cells"] for tag in cell["metadata"].get("tags", [])]

    assert re.match(r"# \w+", first)
    assert all(re.search(rf"(?i)\byou(?:'ll)? {what}\b", first) for what in ("do", "learn", "need"))
    assert tags.count("teaching-notes") == 1
    assert "Things to try" in text and text.count("<details>") >= 3


def test_links_lead_somewhere(notebook):
    """Each file that a notebook links to exists."""
    text = "".join(source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    files = [link for link, _ in LINK.findall(text) if "://" not in link]

    assert files
    assert [link for link in files if not (FOLDER / link).exists()] == []


def test_neighbours_are_linked(file, notebook):
    """A notebook links to the one before and the one after."""
    place = NOTEBOOKS.index(file)
    neighbours = [other.name for other in NOTEBOOKS[max(place - 1, 0) : place + 2] if other != file]

    text = "".join(map(source, notebook["cells"]))
    assert [name for name in neighbours if f"]({name})" not in text] == []


def test_outputs_are_stored(notebook):
    """Each cell that prints has an output, and each cell was run once."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]

    assert [cell["execution_count"] for cell in code] == [*range(1, len(code) + 1)]
    assert [source(cell) for cell in code if shows(source(cell)) and not cell["outputs"]] == []


def test_outputs_have_no_noise(notebook):
    """No error, no warning, no access log, no time of day, no path of a machine."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    text = json.dumps(outputs, ensure_ascii=False)

    assert [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"] == []
    assert "HTTP/1.1" not in text and CLOCK.search(text) is None
    assert [path for path in MACHINE if path in text] == []


def test_metadata_is_the_same_everywhere(notebook):
    """A generic kernel, no timestamps, no settings of an editor."""
    cells = [cell["metadata"] for cell in notebook["cells"]]

    assert notebook["metadata"] == METADATA
    assert all(set(metadata) <= {"tags"} for metadata in cells)


def test_readme_lists_the_notebooks():
    """The table has a row for each notebook."""
    readme = (FOLDER / "README.md").read_text("utf-8")

    assert [file.name for file in NOTEBOOKS if f"({file.name})" not in readme] == []


def test_jupyterlab_starts_and_stops(mark, tmp_path):
    """It responds on loopback to requests with the token, fetches no news, and stops with all its processes."""
    port = free_port()
    lab = START_JUPYTERLAB.format(port=port, provider_port=free_port())
    environment = {
        **mark,
        "JUPYTER_TOKEN": "of-another-server",
        "JUPYTER_PORT": "1",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-c", lab]
    learn = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8", **in_new_group()
    )
    try:
        url = next(line.split()[-1] for line in learn.stdout if line.startswith("JupyterLab is at"))
        with_token = requests.get(url, timeout=20)
        without = requests.get(f"http://127.0.0.1:{port}/lab", timeout=20)
        settings = requests.get(url.replace("/lab?", f"/lab/api/settings/{NOTES}?"), timeout=20).json()
    finally:
        learn.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
        said = learn.communicate(timeout=60)[0]

    page = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', with_token.text, re.DOTALL)[1])
    assert "of-another-server" not in url
    assert page["news"] == {"disabled": True} and page["extensionManager"]["can_install"] is False
    assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"
    assert "login" in without.url
    assert said.endswith("Stopped.\n") and learn.returncode == 0
    wait_for(lambda: not marked(mark[MARK]), "all processes to end")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows opens URLs with no program that a test can give it")
def test_jupyterlab_keeps_its_token_secret(mark, tmp_path):
    """All users of a machine can read command lines, so none has the token: the browser opens a private file."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    # Not Python: the path in a first line like #!/path/to/python may have no spaces.
    browser.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$1\" > {shlex.quote(str(opened))}\n", "utf-8")
    browser.chmod(0o700)
    lab = "import sys; sys.stdout.isatty = lambda: True; " + START_JUPYTERLAB.format(
        port=free_port(), provider_port=free_port()
    ).replace("with_browser=False", "with_browser=True")
    environment = {name: value for name, value in mark.items() if name != "CI"} | {"BROWSER": str(browser)}
    command = [sys.executable, "-c", lab]
    learn = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8", **in_new_group()
    )
    try:
        url = next(line.split()[-1] for line in learn.stdout if line.startswith("JupyterLab is at"))
        token = url.partition("token=")[2]
        wait_for(lambda: opened.exists() and opened.read_text("utf-8").endswith("\n"), "the browser to be opened", 60)
        file = Path(url2pathname(urlsplit(opened.read_text("utf-8").strip()).path))
        page, modes = file.read_text("utf-8"), file.stat().st_mode | file.parent.stat().st_mode
        lines = command_lines(mark[MARK])
    finally:
        learn.send_signal(signal.SIGINT)
        learn.communicate(timeout=60)

    assert len(token) > 20 and token in page and modes & 0o077 == 0
    assert any("jupyterlab" in line for line in lines)
    assert [line for line in [*lines, opened.read_text("utf-8")] if token in line] == []
    wait_for(lambda: not marked(mark[MARK]), "all processes to end")


def test_a_running_gallery_is_used(provider, capsys):
    """A provider at the port is used; another program there does not matter."""
    tools.learn.notebooks._say_what_is_running(provider.port)
    with socket.create_server(("127.0.0.1", 0)) as other:
        tools.learn.notebooks._say_what_is_running(other.getsockname()[1])

    first, second = capsys.readouterr().out.splitlines()
    assert "running already" in first and str(provider.port) in first
    assert "taken by another program" in second


def nbval(paths, environment, *options):
    """Run nbval on the notebooks of one folder, or on the folder, without the settings of this suite."""
    folder = paths[0] if paths[0].is_dir() else paths[0].parent
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        "-p",
        "no:cacheprovider",
    ]
    command += ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", str(SANITIZE), "--nbval-cell-timeout", "300"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
    return subprocess.run([*command, *options, *map(str, paths)], cwd=folder, env=environment, **pipes)


def in_kernel(environment, code, **more):
    """Start Python in the notebooks' folder, in a new group, and run code after `from stage import *`."""
    lines = f"from stage import *; {code}; import sys, time; sys.stdout.flush(); time.sleep(60)"
    command = [sys.executable, "-c", lines]
    more = {"stdout": subprocess.PIPE, "encoding": "utf-8", **in_new_group(), **more}
    return subprocess.Popen(command, cwd=FOLDER, env=environment, **more)


def in_new_group():
    """Return the arguments that start a process in a new group."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def marked(name):
    """Return the processes that have the mark of a test."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == name and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def command_lines(name):
    """Return the command lines of the running processes that have the mark of a test."""
    found = []
    for process in marked(name):
        with suppress(psutil.Error):
            found.append(" ".join(process.cmdline()))
    return found


def source(cell):
    """Return the text of a cell."""
    return "".join(cell["source"])


def shows(code):
    """Tell whether a cell prints, draws or shows."""
    calls = [node for line in ast.parse(code).body if isinstance(line, ast.Expr) for node in ast.walk(line)]
    names = {node.func.id for node in calls if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return bool(names & {"draw", "print", "show", "table"})
