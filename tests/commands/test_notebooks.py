"""The notebooks: their outputs are true, their form is uniform, and JupyterLab starts and stops without leftovers."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit
from urllib.request import url2pathname

import psutil
import pytest
import requests

import tools.learn.notebooks
from fake_provider import free_port
from tools.check.apps import wait_for
from tools.check.report import verdicts_in
from tools.check.rows import ROWS
from tools.comparison import measure, report
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
    "{provider_port}, with_browser={with_browser}))"
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


def test_there_are_seven_notebooks():
    """An empty folder would pass everything here."""
    assert [file.name[0] for file in NOTEBOOKS] == list("1234567")


WAYS = {folder: measure.WAYS[folder]["way"] for folder in measure.FOUR}
LEVELS = {"by default": "**default**", "by option": "option", "by hand": "by hand"}
WHOLE = [*NOTEBOOKS[:-1], pytest.param(NOTEBOOKS[-1], marks=pytest.mark.weekly)]
SHORT = "short.ipynb"  # the last notebook up to its attacks
WRONG = "wrong.ipynb"  # the beginning of the first notebook, with one changed word in one stored output

# A plugin of nbval's run: it writes what nbval makes of each line.
SANITISES = """import json, pathlib
def pytest_sessionfinish(session):
    lines = json.loads(pathlib.Path("lines.json").read_text("utf-8"))
    sanitised = {line: session.items[0].sanitize(line) for line in lines}
    pathlib.Path("sanitised.json").write_text(json.dumps(sanitised), "utf-8")
"""


@pytest.fixture(scope="class")
def stored_run(request, tmp_path_factory):
    """Run nbval once, on whole notebooks where tests want that, because it takes seconds to load.

    Returns its folder, its output, and the mark of the processes.
    """
    items = [item for item in request.session.items if item.name.startswith("test_they_are_true[")]
    files = {item.callspec.params["file"] for item in items}
    folder = tmp_path_factory.mktemp("stored")
    (folder / "lines.json").write_text(json.dumps(list(SANITISED)), "utf-8")
    (folder / "sanitises.py").write_text(SANITISES, "utf-8")
    (folder / SHORT).write_text(json.dumps(before_the_attacks()), "utf-8")
    (folder / WRONG).write_text(with_a_wrong_output(), "utf-8")
    with marking(folder) as environment:
        more = {"PYTHONPATH": os.pathsep.join([str(FOLDER), str(folder)])}
        # nbval names a notebook only if it is in the folder of the run.
        paths = [folder / SHORT, folder / WRONG, *(shutil.copy(file, folder) for file in sorted(files))]
        yield folder, nbval(paths, environment | more, "-rA", "-p", "sanitises").stdout, environment[MARK]


class TestStoredOutputs:
    @pytest.mark.parametrize("file", WHOLE, ids=lambda file: file.stem)
    def test_they_are_true(self, file, notebook, stored_run):
        """When it is run again, every cell has its stored output, and no process is left."""
        _, said, name = stored_run

        assert outcomes(said, file.name) == ["PASSED"] * len(code_of(notebook)), said[-6000:]
        wait_for(lambda: not marked(name), "all processes to end")

    def test_those_before_the_attacks_are_true(self, stored_run):
        """The last notebook takes as long as all others, because it attacks: by default it runs up to there."""
        _, said, _ = stored_run

        code = code_of(before_the_attacks())
        assert 8 < len(code) < len(code_of(read(NOTEBOOKS[-1])))
        assert outcomes(said, SHORT) == ["PASSED"] * len(code), said[-6000:]

    def test_those_of_attacks_are_those_of_the_pages(self):
        """What other tests find out about the same attacks is in docs/comparison.md and docs/security.md."""
        protections, rows = tables_after(len(code_of(before_the_attacks())))
        page = {row[0]: row for row in report.tables_of(report.PAGE.read_text("utf-8"))["Protections"]}
        columns = [report.HEADS["Protections"].index(way) for way in WAYS.values()]
        verdicts = verdicts_in((ROOT / "docs" / "security.md").read_text("utf-8"))

        for name, *levels in protections:
            cells = [page[name][column] for column in columns]
            assert [cell for cell, level in zip(cells, levels, strict=True) if not cell.startswith(LEVELS[level])] == []
        assert rows == [[row, ROWS[row].title, *(verdicts[row, folder] for folder in WAYS)] for row, *_ in rows]
        assert len(protections) > 5 and len(rows) > 3

    def test_a_wrong_one_is_found(self, stored_run):
        """One changed word in one stored output is a failure; the cells before it pass."""
        _, said, _ = stored_run

        code = code_of(json.loads(with_a_wrong_output()))
        assert outcomes(said, WRONG) == ["PASSED"] * (len(code) - 1) + ["FAILED"]
        assert "201 OK" in said

    def test_only_what_is_random_is_sanitised(self, stored_run):
        """The keys stay, and all values that the lesson is about."""
        folder, _, _ = stored_run

        assert json.loads((folder / "sanitised.json").read_text("utf-8")) == SANITISED


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


@pytest.fixture(scope="class")
def lab(tmp_path_factory):
    """What was seen of one JupyterLab from its start to its end, which takes seconds."""
    folder = tmp_path_factory.mktemp("lab")
    with marking(folder) as environment:
        yield seen_of_jupyterlab(folder, environment)


class TestJupyterLab:
    def test_it_starts_and_stops(self, lab):
        """It responds on loopback to requests with the token, fetches no news, and stops with all its processes."""
        page = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', lab.page, re.DOTALL)[1])

        assert "of-another-server" not in lab.url
        assert page["news"] == {"disabled": True} and page["extensionManager"]["can_install"] is False
        assert lab.settings["schema"]["properties"]["fetchNews"]["default"] == "false"
        assert "login" in lab.url_without_token
        assert lab.said.endswith("Stopped.\n") and lab.status == 0
        wait_for(lambda: not marked(lab.mark), "all processes to end")

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows opens URLs with no program that a test can give it")
    def test_its_token_stays_secret(self, lab):
        """All users of a machine can read command lines, so none has the token: the browser opens a private file."""
        token = lab.url.partition("token=")[2]

        assert len(token) > 20 and token in lab.opened_page and lab.modes & 0o077 == 0
        assert any("jupyterlab" in line for line in lab.command_lines)
        assert [line for line in [*lab.command_lines, lab.opened] if token in line] == []


def seen_of_jupyterlab(folder, environment):
    """Start JupyterLab with a browser, look at it and at what the browser opens, and press Ctrl-C."""
    seen = SimpleNamespace(mark=environment[MARK])
    port, with_browser = free_port(), sys.platform != "win32"
    lab = START_JUPYTERLAB.format(port=port, provider_port=free_port(), with_browser=with_browser)
    opened, browser = folder / "opened", folder / "browser"
    # Not Python: the path in a first line like #!/path/to/python may have no spaces.
    browser.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$1\" > {shlex.quote(str(opened))}\n", "utf-8")
    browser.chmod(0o700)
    environment = {name: value for name, value in environment.items() if name != "CI"} | {
        "BROWSER": str(browser),
        "JUPYTER_TOKEN": "of-another-server",
        "JUPYTER_PORT": "1",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-c", f"import sys; sys.stdout.isatty = lambda: True; {lab}"]
    learn = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8", **in_new_group()
    )
    try:
        seen.url = next(line.split()[-1] for line in learn.stdout if line.startswith("JupyterLab is at"))
        seen.page = requests.get(seen.url, timeout=20).text
        seen.url_without_token = requests.get(f"http://127.0.0.1:{port}/lab", timeout=20).url
        seen.settings = requests.get(seen.url.replace("/lab?", f"/lab/api/settings/{NOTES}?"), timeout=20).json()
        if with_browser:
            wait_for(lambda: opened.exists() and opened.read_text("utf-8").endswith("\n"), "a browser to be opened", 60)
            seen.opened = opened.read_text("utf-8")
            file = Path(url2pathname(urlsplit(seen.opened.strip()).path))
            seen.opened_page, seen.modes = file.read_text("utf-8"), file.stat().st_mode | file.parent.stat().st_mode
        seen.command_lines = command_lines(seen.mark)
    finally:
        learn.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
        seen.said = learn.communicate(timeout=60)[0]
    seen.status = learn.returncode
    return seen


def test_a_running_gallery_is_used(provider, capsys):
    """A provider at the port is used; another program there does not matter."""
    tools.learn.notebooks._say_what_is_running(provider.port)
    with socket.create_server(("127.0.0.1", 0)) as other:
        tools.learn.notebooks._say_what_is_running(other.getsockname()[1])

    first, second = capsys.readouterr().out.splitlines()
    assert "running already" in first and str(provider.port) in first
    assert "taken by another program" in second


def read(file):
    """Return a notebook as JSON."""
    return json.loads(file.read_text("utf-8"))


def code_of(notebook):
    """Return the cells with code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def before_the_attacks():
    """Return the last notebook up to the cell that imports the attacks."""
    notebook = read(NOTEBOOKS[-1])
    attacks = [n for n, cell in enumerate(notebook["cells"]) if "from tools.comparison.probes import" in source(cell)]
    return {**notebook, "cells": notebook["cells"][: attacks[0]]}


def tables_after(count):
    """Return the rows of the tables in the outputs of the last notebook, without those of its first cells."""
    outputs = [output for cell in code_of(read(NOTEBOOKS[-1]))[count:] for output in cell["outputs"]]
    texts = ["".join(output["data"]["text/markdown"]) for output in outputs if "text/markdown" in output["data"]]
    return [[line[2:-2].split(" | ") for line in text.splitlines()[2:]] for text in texts]


def with_a_wrong_output():
    """Return the first notebook up to its first successful response, which it says is another."""
    notebook = read(NOTEBOOKS[0])
    first = next(n for n, cell in enumerate(notebook["cells"]) if "→ 200 OK" in json.dumps(cell, ensure_ascii=False))
    text = json.dumps({**notebook, "cells": notebook["cells"][: first + 1]}, ensure_ascii=False)
    return text.replace("→ 200 OK", "→ 201 OK", 1)


def outcomes(said, name):
    """Return what became of each cell of a notebook."""
    return re.findall(rf"^(PASSED|FAILED|ERROR) {re.escape(name)}(?:::|$)", said, re.MULTILINE)


def nbval(paths, environment, *options):
    """Run nbval on these notebooks, in the folder of the first, without the settings of this suite."""
    folder = paths[0].parent
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
