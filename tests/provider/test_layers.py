"""The folders of the provider are layers: a module imports from its own layer and from those below, in no circle."""

import ast
from graphlib import TopologicalSorter

import pytest

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
RULES_WITHOUT_PROVIDERS = ("protocol", "grants")
MAX_MODULES = 20  # of a folder


def imports(name):
    """Return the modules of the package that a module imports, wherever in its text the import stands."""
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


def test_there_is_no_circle():
    """No module imports itself by way of others."""
    assert list(TopologicalSorter({name: imports(name) for name in MODULES}).static_order())


def test_the_rules_know_no_provider():
    """Loading the rules of grants loads the protocol alone, and no provider's responses."""
    reached, waiting = set(), {RULES_WITHOUT_PROVIDERS}
    while waiting:
        reached |= waiting
        waiting = {module for name in waiting for module in imports(name)} - reached

    assert {name[0] for name in reached} == {"protocol"}


@pytest.mark.parametrize("folder", [".", *sorted(LAYERS)])
def test_a_folder_is_small(folder):
    """A newcomer can read the names in a folder at one look."""
    modules = [file for file in (PACKAGE / folder).glob("*.py") if file.name != "__init__.py"]

    assert 0 < len(modules) <= MAX_MODULES
