"""The words of CONTRIBUTING.md hold in the code: one word has one meaning, and the field's own term comes first."""

import ast
import io
import re
import tokenize

import pytest

from tools.places import ROOT


def pattern_of(words):
    """Return the pattern of a row: whole words, constants for words in capitals, and prefixes for words ending in _."""
    ends = "|".join(word if word[-1] == "_" else rf"{word}(?![a-z])" for word in re.split(", *", words))
    return re.compile(rf"(?<![a-z])(?:{ends})", 0 if words.isupper() else re.IGNORECASE)


TABLE = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Words")[2].partition("\n## ")[0]
FOUND = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| ([^|]*?) ?\|$", TABLE, re.MULTILINE)[1:]  # not, but, except after
ROWS = [(pattern_of(words), better, tuple(re.findall(r"[^\s,]+", exceptions))) for words, better, exceptions in FOUND]
FILES = [
    file.relative_to(ROOT).as_posix()
    for folder in ("fake_provider", "tools", "tests")
    for file in sorted((ROOT / folder).rglob("*.py"))
    if "__pycache__" not in file.parts and file.name != "test_words.py"
]


def written(code):
    """Return the names, comments and docstrings of a program, each with its line; what it prints is data."""
    names = [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type in (tokenize.NAME, tokenize.COMMENT)
    ]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, documented)]
    return names + [(node.body[0].lineno, text) for node in nodes if (text := ast.get_docstring(node))]


def unwanted(text):
    """Return what the table has against this text."""
    return [
        f"{match[0]}: {better}"
        for pattern, better, exceptions in ROWS
        for match in pattern.finditer(text)
        if not (exceptions and text[: match.start()].lower().rstrip(" _-\n").endswith(exceptions))
    ]


@pytest.mark.parametrize(
    ("code", "is_unwanted"),
    [
        ("answer = 1", True),
        ("response = 1", False),
        ("MOST_KEYS = 5", True),
        ("x = 1  # an e-mail address", False),
        ("def f():\n    '''Nobody.'''", True),
        ("say('Nobody.')", False),
    ],
)
def test_finds_the_words(code, is_unwanted):
    """A word of the left column is found in a name, comment or docstring, unless an exception stands before it."""
    assert bool([found for _, text in written(code) for found in unwanted(text)]) is is_unwanted


@pytest.mark.parametrize("file", FILES)
def test_uses_the_words_of_the_field(file):
    """No name, comment or docstring of the code has a word of the left column."""
    texts = written((ROOT / file).read_text("utf-8"))

    assert [f"line {line}: {found}" for line, text in texts for found in unwanted(text)] == []
