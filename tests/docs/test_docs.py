"""The Markdown pages and the repository agree: excerpts, differences, links, paths, requirements, headings."""

import ast
import difflib
import functools
import json
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.apps import app_folders
from tools.places import ROOT

NOT_OURS = {".git", ".venv", ".learn", "node_modules"}
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob("*.md")
    if not NOT_OURS.intersection(path.relative_to(ROOT).parts) and ".pytest_cache" not in path.parts
)
LESSONS = [page for page in PAGES if page.endswith("README.md")]
APPS = app_folders()
DEPENDENCIES = {
    canonicalize_name(requirement.name): requirement
    for requirement in map(
        Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    )
}
IMPORTED_AS = {"python-dotenv": "dotenv", "bootstrap-flask": "flask_bootstrap"}
# Required and not always imported: some only for their lower bound, some for a setting, dotenv for `flask run`.
NOT_ALWAYS_IMPORTED = {
    *("authlib", "cryptography", "dotenv", "oauthlib", "psycopg", "redis", "sqlalchemy", "urllib3", "werkzeug")
}


EXCERPTS = ("python", "html", "ini", "text")
TITLE = re.compile(r'(\w+) title="([^"]+)"')


@functools.cache
def tokens(page):
    """Return the Markdown tokens of a page."""
    return MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text("utf-8"))


def blocks(page, *languages):
    """Yield the files and the lines of each block that names files and has one of these languages."""
    for token in tokens(page):
        title = TITLE.fullmatch(token.info)
        if token.type == "fence" and title and title[1] in languages:
            yield title[2].split(), token.content.splitlines()


def contains(lines, part):
    """Tell whether the lines contain this part without a gap."""
    return any(lines[start : start + len(part)] == part for start in range(len(lines) - len(part) + 1))


# Quotes


@pytest.mark.parametrize("page", PAGES)
def test_excerpts_are_in_their_file(page):
    """A block that names a file has lines of that file, without a gap; only the indentation may be smaller."""
    for (file,), lines in blocks(page, *EXCERPTS):
        text = (ROOT / file).read_text("utf-8").splitlines()
        part = textwrap.dedent("\n".join(lines)).splitlines()
        found = any(
            textwrap.dedent("\n".join(text[start : start + len(part)])).splitlines() == part
            for start in range(len(text) - len(part) + 1)
        )

        assert found, f"{page}: this is not in {file}:\n" + "\n".join(lines)


@pytest.mark.parametrize("page", PAGES)
def test_diffs_are_the_difference(page):
    """A block that names two files has lines of their difference, without a gap."""
    for (old, new), lines in blocks(page, "diff"):
        before, after = ((ROOT / file).read_text("utf-8").splitlines() for file in (old, new))
        whole = list(difflib.unified_diff(before, after, n=max(len(before), len(after)), lineterm=""))[3:]

        assert contains(whole, lines), f"{page}: this is not how {old} and {new} differ:\n" + "\n".join(lines)


@pytest.mark.parametrize("page", PAGES)
def test_every_quote_is_checked(page):
    """Each block with a title has a language and files that the tests above check, and is not empty."""
    fences = [token for token in tokens(page) if token.type == "fence" and " " in token.info.strip()]
    unchecked = [
        token.info
        for token in fences
        if not (title := TITLE.fullmatch(token.info))
        or len(title[2].split()) != {"diff": 2}.get(title[1], 1)
        or title[1] not in (*EXCERPTS, "diff")
        or not token.content.strip()
    ]

    assert unchecked == []


# Links and paths


LINKS = ("link_open", "image")


@functools.cache
def anchors(page):
    """Return the anchors of a page's headings, in the way of code hosts."""
    seen: dict[str, int] = {}
    found = set()
    all_tokens = tokens(page)
    for opening, inline in zip(all_tokens, all_tokens[1:], strict=False):
        if opening.type == "heading_open":
            words = "".join(child.content for child in inline.children or [])
            anchor = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            number = seen.get(anchor, 0)
            seen[anchor] = number + 1
            found.add(f"{anchor}-{number}" if number else anchor)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_links_have_a_target(page):
    """Each link within the repository has an existing file and an existing heading."""
    children = [child for token in tokens(page) for child in token.children or []]
    urls = [str(child.attrs.get("href") or child.attrs["src"]) for child in children if child.type in LINKS]
    for parts in map(urlsplit, urls):
        if parts.scheme:
            continue
        url = parts.geturl()
        target = (ROOT / page).parent / unquote(parts.path) if parts.path else ROOT / page

        assert target.exists(), f"{page}: {url} does not exist"
        assert target.resolve().is_relative_to(ROOT), f"{page}: {url} is outside the repository"
        if parts.fragment:
            assert parts.fragment in anchors(target), f"{page}: {url} names no heading"


PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*")
FOLDERS = tuple(f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
CREATED_LATER = re.compile(r"(\.\./)?\.venv/|\.learn/|instance/|.*[A-Z]{3,}|(.*/)?\.env$")  # by a run, or by the reader
NOTEBOOKS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("notebooks/*.ipynb"))


def code(page):
    """Yield the code of a page: inline code, code in HTML, and blocks that quote no file."""
    for token in texts_of_notebook(page) if page.endswith(".ipynb") else tokens(page):
        if token.type == "fence" and not TITLE.fullmatch(token.info):
            yield token.content
        for part in (token, *(token.children or [])):
            if part.type == "code_inline":
                yield part.content
            elif part.type == "html_block":
                yield from re.findall(r"<code>(.*?)</code>", part.content, re.DOTALL)


def texts_of_notebook(page):
    """Return the Markdown tokens of a notebook's text cells."""
    cells = json.loads((ROOT / page).read_text("utf-8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return MarkdownIt("commonmark").enable("table").parse(text)


def is_path(word):
    """Tell whether a word of code is a path of this repository: it has an ending, or begins with one of our folders."""
    has_ending = "." in word.rpartition("/")[2].lstrip(".")
    return bool(PATH.fullmatch(word)) and (has_ending or word.startswith(FOLDERS)) and not CREATED_LATER.match(word)


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS])
def test_paths_in_code_exist(page):
    """Each path in the code of a page exists, from the root of the repository or from the page's folder."""
    words = {word for text in code(page) for word in text.split() if is_path(word)}
    folders = (ROOT, (ROOT / page).parent)

    assert sorted(word for word in words if not any((folder / word).exists() for folder in folders)) == []


@pytest.mark.parametrize("page", PAGES)
def test_quoted_commands_select_a_test(page):
    """Each `tests/FILE.py -k NAME` of a page selects a test of that file."""
    commands = [command for text in code(page) for command in re.findall(r"(tests/[\w/]+\.py) -k (\w+)", text)]

    for file, name in commands:
        assert re.search(rf"^def test_\w*{name}", (ROOT / file).read_text("utf-8"), re.MULTILINE), f"{file} -k {name}"


# Folders and READMEs


@pytest.mark.parametrize("folder", APPS)
def test_every_app_has_its_files(folder):
    """The folder of an app contains all files that the app needs outside the repository."""
    missing = [
        name
        for name in ("README.md", "requirements.txt", ".env.example", ".flaskenv")
        if not (ROOT / folder / name).exists()
    ]

    assert missing == []


@pytest.mark.parametrize("folder", APPS)
def test_requirements_are_what_is_imported(folder):
    """An app requires the packages that it imports, and no others, with the bounds of pyproject.toml."""
    required = [
        Requirement(line) for line in (ROOT / folder / "requirements.txt").read_text("utf-8").split("\n") if line
    ]
    names = {IMPORTED_AS.get(canonicalize_name(one.name), one.name.lower().replace("-", "_")) for one in required}
    imported = imports(ROOT / folder)

    assert imported - names == set()
    assert names - imported - NOT_ALWAYS_IMPORTED == set()
    assert [str(one) for one in required] == [str(DEPENDENCIES[canonicalize_name(one.name)]) for one in required]


def imports(folder):
    """Return the packages that a folder imports, without the standard library and the folder's own modules."""
    files = [file for file in folder.glob("*.py") if file.is_file()]
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {file.stem for file in files}


def test_the_readme_lists_what_every_app_must_do():
    """The README's list has the headings of the specification, in the same order."""
    specification = (ROOT / "tests" / "test_login.py").read_text("utf-8")
    headings = re.findall(r"^# (.+)$", specification, re.MULTILINE)
    section = (ROOT / "README.md").read_text("utf-8").partition("## What every app must do")[2].partition("\n## ")[0]

    assert re.findall(r"^- \*\*(.+?)\.\*\*", section, re.MULTILINE) == headings


def test_the_readme_begins_with_the_command():
    """The README has the command in its first 20 lines, and fewer than 500 words before its first table."""
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    before_tables = lines[: next(number for number, line in enumerate(lines) if line.startswith("|"))]

    assert "python3 learn.py" in lines[:20]
    assert len(" ".join(before_tables).split()) < 500


def test_the_readme_links_to_every_app():
    """The README has a link to the README of each app."""
    text = (ROOT / "README.md").read_text("utf-8")

    assert [folder for folder in APPS if f"({folder}/README.md)" not in text] == []


@pytest.mark.parametrize("page", LESSONS)
def test_no_lesson_says_simply(page):
    """No README says simply, just, obviously or easily, which discourage a reader who finds it difficult."""
    children = [part for token in tokens(page) for part in (token, *(token.children or []))]
    said = [part.content for part in children if part.type in ("text", "html_block")]  # solutions are folded in HTML
    said = [re.sub(r"<code>.*?</code>", "", words, flags=re.DOTALL) for words in said]

    assert [words for words in said if re.search(r"\b(simply|just|obviously|easily)\b", words, re.IGNORECASE)] == []


# Names of machines

HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "npmjs" + ".com", "deb.debian" + ".org")
HOMES = re.compile(r"(?<![\w.])/(home|Users|root|work)/\w+|\b[A-Z]:\\Users")


def texts():
    """Yield the text files that git tracks or does not ignore."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip(reason="this is no git checkout")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout.split("\0")
    for path in (ROOT / name for name in names if name):
        if path.is_file() and b"\0" not in path.read_bytes():
            yield path


def test_no_file_names_a_registry_or_a_machine():
    """No file contains the host of a package registry or a path of one machine."""
    found = [
        path.relative_to(ROOT).as_posix()
        for path in texts()
        for text in [path.read_text("utf-8", "replace")]
        if any(host in text for host in HOSTS) or HOMES.search(text)
    ]

    assert found == []
