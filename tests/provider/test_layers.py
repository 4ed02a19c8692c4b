"""The folders of the provider are layers: a module imports its own layer and those below, and no cycle exists."""

import ast
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter

import pytest

from fake_provider.app import create_app
from fake_provider.dialects.table import DIALECTS
from tools.places import ROOT

PACKAGE = ROOT / "fake_provider"
LAYERS = {  # folder: the folders that its modules may import
    "protocol": set(),
    "dialects": {"protocol"},
    "faults": {"protocol"},
    "trace": {"faults", "dialects", "protocol"},
    "state": {"trace", "faults", "dialects", "protocol"},
    "endpoints": {"state", "faults", "dialects", "protocol"},
    "gallery": {"state", "dialects", "protocol"},
    "pages": {"endpoints", "state", "trace", "faults", "dialects", "protocol"},
}
MODULES = {file.relative_to(PACKAGE).with_suffix("").parts: file for file in PACKAGE.rglob("*.py")}
GRANTS = ("protocol", "grants")
MAX_LOADED = 11  # modules that loading the grant rules loads, with itself
MAX_MODULES = 20  # of a folder


def imports(name):
    """Return the modules of the package that a module imports, at its top level or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*name[: len(name) - node.level], *filter(None, (node.module or "").split(".")))
            found |= {base} | {(*base, alias.name) for alias in node.names}
    return {module for module in found if module in MODULES}


@pytest.mark.parametrize("name", sorted(MODULES), ids="/".join)
def test_imports_point_down(name):
    """A module of a folder imports its own folder's modules and those of the folders below it."""
    folder = name[0] if len(name) > 1 else None
    above = {
        "/".join(module) for module in imports(name) if module[0] not in LAYERS.get(folder, {module[0]}) | {folder}
    }

    assert folder in {*LAYERS, None}
    assert folder is None or not above


def test_there_is_no_cycle():
    """No module imports itself through others."""
    assert list(TopologicalSorter({name: imports(name) for name in MODULES}).static_order())


def test_the_grant_rules_load_no_provider():
    """Loading protocol/grants.py loads modules of protocol/ alone: no dialect, and no library for HTTP."""
    code = "import sys, fake_provider.protocol.grants; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    modules = [name.split(".") for name in loaded.stdout.split()]
    ours = [name for name in modules if name[0] == "fake_provider" and len(name) > 2]

    assert {name[1] for name in ours} == {"protocol"}
    assert ["fake_provider", *GRANTS] in ours and len(ours) <= MAX_LOADED
    assert not {name[0] for name in modules} & {"flask", "werkzeug", "joserfc"}


def test_one_module_of_the_faults_imports_werkzeug():
    """Faults are data: only apply.py changes responses of Werkzeug."""
    importing = {file.name for file in (PACKAGE / "faults").glob("*.py") if "werkzeug" in file.read_text("utf-8")}

    assert importing == {"apply.py"}


def test_each_url_prefix_is_in_one_module(tmp_path):
    """Searching for `/_trace` or another prefix leads to the one module that registers all URLs below it."""
    app = create_app(gallery=tmp_path / "gallery.json")
    app.add_pages()
    modules = defaultdict(set)
    for rule in app.url_map.iter_rules():
        prefix = rule.rule.split("/")[1]
        if prefix.startswith("_"):
            modules[prefix].add(app.view_functions[rule.endpoint].__module__.removeprefix("fake_provider."))

    assert len(modules) > 5 and not any(dialect.name.startswith("_") for dialect in DIALECTS)  # endpoints: /DIALECT/…
    assert {prefix: found for prefix, found in modules.items() if len(found) > 1} == {}
    assert modules["_trace"] == {"pages.trace"} and modules["_read"] == {"gallery.pages"}


@pytest.mark.parametrize("folder", [".", *sorted(LAYERS)])
def test_a_folder_is_small(folder):
    """A folder has at most MAX_MODULES modules, so that a newcomer can read all their names."""
    modules = [file for file in (PACKAGE / folder).glob("*.py") if file.name != "__init__.py"]

    assert 0 < len(modules) <= MAX_MODULES
