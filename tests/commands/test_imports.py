"""Imports point in one direction: tests → tools and workshop → fake_provider."""

import ast

import pytest

from tools.places import ROOT

FORBIDDEN = {  # by folder: the packages that its modules must not import
    "fake_provider": {"tools", "tests", "support", "workshop", "pytest"},
    "tools": {"tests", "support", "pytest"},
    "workshop": {"tests", "support", "pytest"},
}
FILES = [file.relative_to(ROOT).as_posix() for folder in FORBIDDEN for file in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("file", FILES)
def test_imports_point_in_one_direction(file):
    """No module of the provider or of the tools imports the tests or pytest, wherever in its text the import stands."""
    imported = set()
    for node in ast.walk(ast.parse((ROOT / file).read_bytes())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add((node.module or "").partition(".")[0])

    assert not imported & FORBIDDEN[file.partition("/")[0]]
