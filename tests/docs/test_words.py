"""The words of CONTRIBUTING.md hold in the code: one word has one meaning, and the field's own term comes first."""

import re

import pytest

from tools.places import ROOT

TABLE = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Words")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| ([^|]*?) ?\|$", TABLE, re.MULTILINE)[2:]  # not, but, except after
FILES = [
    file.relative_to(ROOT).as_posix()
    for folder in ("fake_provider", "tools", "tests")
    for file in sorted((ROOT / folder).rglob("*.py"))
    if "__pycache__" not in file.parts and file.name != "test_words.py"
]


def unwanted(line):
    """Return what the table has against this line."""
    found = []
    for words, better, exceptions in ROWS:
        allowed = tuple(word for word in re.split(r", *", exceptions.lower()) if word)
        for match in re.finditer(rf"(?<![a-z])(?:{'|'.join(re.split(', *', words))})(?![a-z])", line, re.IGNORECASE):
            if not allowed or not line[: match.start()].lower().rstrip(" _-").endswith(allowed):
                found.append(f"{match[0]}: {better}")
    return found


@pytest.mark.parametrize(
    ("line", "is_unwanted"),
    [("the answer", True), ("the response", False), ("MOST_KEYS = 5", True), ("an e-mail address", False)],
)
def test_finds_the_words(line, is_unwanted):
    """The table is read: a word of its left column is found, unless one of its exceptions stands before it."""
    assert bool(unwanted(line)) is is_unwanted


@pytest.mark.parametrize("file", FILES)
def test_uses_the_words_of_the_field(file):
    """No line of the code has a word of the left column."""
    lines = (ROOT / file).read_text("utf-8").splitlines()

    assert [f"{number}: {found}" for number, line in enumerate(lines, 1) for found in unwanted(line)] == []
