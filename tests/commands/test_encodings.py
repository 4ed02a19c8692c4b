"""Every file and every output has an explicit encoding: that of the system is often cp1252 on Windows."""

import ast

import pytest

from tools.places import ROOT

AS_TEXT = {"text", "universal_newlines"}

USES = {  # a line of code: whether it depends on the system's encoding
    "open(file)": True,
    "open(file, 'w')": True,
    "open(file, 'rb')": False,
    "open(file, encoding='utf-8')": False,
    "path.open()": True,
    "path.open('ab')": False,
    "browser.open(url)": False,
    "os.open(file, flags)": False,
    "path.read_text()": True,
    "path.read_text('utf-8')": False,
    "path.write_text(text)": True,
    "path.write_text(text, encoding='utf-8')": False,
    "subprocess.run(command, text=True)": True,
    "subprocess.run(command, text=True, **more)": True,
    "subprocess.run(command, text=True, encoding='utf-8')": False,
    "subprocess.Popen(command)": False,
    "render_template_string(template, text=text)": False,
}


@pytest.mark.parametrize(("line", "expected"), USES.items())
def test_finds_what_depends_on_the_system(line, expected):
    """The search below finds each call without an encoding, and no other."""
    assert bool(without_encoding(line)) is expected


def test_every_encoding_is_named():
    """Each call that reads or writes text names the encoding."""
    folders = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "my_"))]
    files = [ROOT / "learn.py", *(file for folder in folders for file in folder.rglob("*.py"))]
    found = [
        f"{file.relative_to(ROOT).as_posix()}:{line}"
        for file in files
        for line in without_encoding(file.read_text("utf-8"))
    ]

    assert len(files) > 100
    assert found == []


def without_encoding(code):
    """Return the lines of the calls that use the system's encoding."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if _uses_system_encoding(call)]


def _uses_system_encoding(call):
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if "encoding" in keywords:
        return False
    if any(isinstance(keywords[name], ast.Constant) for name in AS_TEXT & keywords.keys()):  # no variable of a template
        return True
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "read_text":
        return not call.args
    if name == "write_text":
        return len(call.args) < 2
    if name != "open":
        return False
    if isinstance(call.func, ast.Name):
        return "b" not in _mode(call.args[1:], keywords)
    owner = getattr(call.func.value, "id", "")
    # A path's open() takes a mode first, and other things, such as a browser, open a URL.
    first = call.args[0] if call.args else None
    is_mode = isinstance(first, ast.Constant) and isinstance(first.value, str) and set(first.value) <= set("rwaxbt+")
    return owner != "os" and (not call.args or is_mode) and "b" not in _mode(call.args, keywords)


def _mode(arguments, keywords):
    value = arguments[0] if arguments else keywords.get("mode")
    return value.value if isinstance(value, ast.Constant) else "r"
