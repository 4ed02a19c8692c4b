"""docs/troubleshooting.md has each sentence that an app can say: on a page, in its log, or when it stops at the start.

The sentences are read from the code of the apps, so that a new one without an entry is found.
"""

import ast
import re

import pytest
from markdown_it import MarkdownIt

from tools.apps import app_folders
from tools.places import ROOT

SAYING = {"abort", "exit", "flash", "warning", "error"}  # the functions whose words reach a page, a log or a terminal
DIALOGUE = {"print", "input"}  # terminal.py asks for the code with them, which is no problem to look up
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
VALUE = re.compile(r"%(?:\.\d+)?[sr]|\{\w*\}")  # where logging, or str.format, puts a value
FILES = sorted(file.relative_to(ROOT).as_posix() for folder in app_folders() for file in (ROOT / folder).glob("*.py"))


def page():
    """Return the texts that docs/troubleshooting.md has as code: what stands on a screen is written so there."""
    tokens = MarkdownIt("commonmark").enable("table").parse((ROOT / "docs/troubleshooting.md").read_text("utf-8"))
    parts = [part for token in tokens for part in (token, *(token.children or []))]
    return [" ".join(part.content.split()) for part in parts if part.type in ("code_inline", "fence")]


def sentences(code):
    """Yield the line and the constant parts of each sentence of a program."""
    tree = ast.parse(code)
    nodes = list(ast.walk(tree))
    found = {id(text): text for scope in scopes(tree) for text in said_in(scope)}
    # A sentence that takes another way to a page, such as a table, has a full stop.
    found |= {id(node): node for node in nodes if "".join(constant_parts(node)).endswith(".")}
    silent = {id(node.body[0].value) for node in nodes if isinstance(node, DOCUMENTED) and ast.get_docstring(node)}
    silent |= {id(part) for node in nodes if name_of(node) in DIALOGUE for part in ast.walk(node)}
    silent |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for text in found.values():
        parts = constant_parts(text)
        if id(text) not in silent and any(" " in part for part in parts):
            yield text.lineno, parts


def scopes(tree):
    """Return the parts of a program in which a name has one meaning: its functions, and each statement outside them."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [*functions, *(node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef))]


def said_in(scope):
    """Yield the strings that a part of a program passes to a function that says them, or puts into an exception."""
    nodes = list(ast.walk(scope))
    raised = [part for node in nodes if isinstance(node, ast.Raise) and node.exc for part in ast.walk(node.exc)]
    calls = [node for node in nodes if name_of(node) in SAYING] + [part for part in raised if name_of(part)]
    for argument in (argument for call in calls for argument in call.args):
        yield from strings(argument, nodes)


def name_of(node):
    """Return the name of the function that a call calls, and nothing for another node."""
    return getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""


def strings(expression, nodes):
    """Yield the strings that an expression can be: by a name, by a condition, or inside an f-string."""
    if constant_parts(expression):
        yield expression
    if isinstance(expression, ast.Name):
        values = [node.value for node in nodes if isinstance(node, ast.Assign) and is_name(node, expression.id)]
        children = [value for value in values if not isinstance(value, ast.Name)]
    elif isinstance(expression, ast.JoinedStr):
        children = [part.value for part in expression.values if isinstance(part, ast.FormattedValue)]
    elif isinstance(expression, ast.IfExp):
        children = [expression.body, expression.orelse]
    else:
        children = expression.values if isinstance(expression, ast.BoolOp) else []
    for child in children:
        yield from strings(child, nodes)


def is_name(assignment, name):
    """Tell whether an assignment gives a value to this name."""
    return any(isinstance(target, ast.Name) and target.id == name for target in assignment.targets)


def constant_parts(node):
    """Return what does not change of a string or an f-string, in pieces; nothing for another node."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = VALUE.sub("\0", node.value)
    elif isinstance(node, ast.JoinedStr):
        text = "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
    else:
        return []
    return [" ".join(piece.split()) for piece in text.split("\0") if piece.strip()]


def is_on_page(parts, texts):
    """Tell whether one of the texts has these parts in this order, with short values between them."""
    pattern = re.compile(".{,60}?".join(map(re.escape, parts)))
    return any(pattern.search(text) for text in texts)


PROGRAM = '''"""A docstring is not said."""
TABLE = {403: "{} refuses it."}
def check(code):
    """Nor is this one."""
    title = f"The {code} is wrong"
    if code: abort(400, "Use the button.")
    app.logger.warning("%s refused: %.300r", title, reason)
    raise ValueError(f"{title}: {code or 'no code at all'}")
if __name__ == "__main__": print("Paste the code."), sys.exit("Stopped by you.")
'''


def test_finds_what_a_program_says():
    """The words of calls, exceptions, variables and tables are found; docstrings and prompts are not."""
    said = {" … ".join(parts) for _, parts in sentences(PROGRAM)}

    assert said == {"refuses it.", "Use the button.", "Stopped by you.", "no code at all", "The … is wrong"}


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("CLIENT_ID is wrong: write a number.", True),
        ("… is wrong: write a number.", True),
        ("is wrong", False),
        ("write a number. is wrong:", False),
    ],
)
def test_compares_the_parts_in_order(text, is_found):
    """An entry has the whole sentence, whatever stands in the place of its values."""
    assert is_on_page(["is wrong:", "a number."], [text]) is is_found


@pytest.mark.parametrize("file", FILES)
def test_every_sentence_has_an_entry(file):
    """Each sentence that an app can say stands in docs/troubleshooting.md, as code, with … in place of its values."""
    texts = page()
    said = sentences((ROOT / file).read_text("utf-8"))

    missing = [f"{file}:{line} {' … '.join(parts)}" for line, parts in said if not is_on_page(parts, texts)]
    assert missing == [], "docs/troubleshooting.md has no entry for what these lines say"


def test_the_index_has_every_entry():
    """The list at the top of the page has a link to each entry, in the order of the entries."""
    text = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
    index, _, entries = text.partition("\n## ")
    headings = re.findall(r"^### (.+)$", entries, re.MULTILINE)
    anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]

    assert re.findall(r"\]\(#([^)]+)\)", index) == anchors
