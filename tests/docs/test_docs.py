"""What the pages say is true: excerpts are excerpts, diffs are diffs, links lead somewhere."""

import ast
import difflib
import functools
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
# Asked for and not always imported: some for their lower bound alone, some for a setting, dotenv for `flask run`.
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
    """Return the blocks of a page in these languages that name files: their files and their lines."""
    for token in tokens(page):
        title = TITLE.fullmatch(token.info)
        if token.type == "fence" and title and title[1] in languages:
            yield title[2].split(), token.content.splitlines()


def contains(lines, part):
    """Tell whether the lines have this part, one line after the other."""
    return any(lines[start : start + len(part)] == part for start in range(len(lines) - len(part) + 1))


# What is quoted


@pytest.mark.parametrize("page", PAGES)
def test_excerpts_are_in_their_file(page):
    """A block that names a file is that file's text, without a gap, indented as it is there or less."""
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
    """A block that names two files is a part of their difference."""
    for (old, new), lines in blocks(page, "diff"):
        before, after = ((ROOT / file).read_text("utf-8").splitlines() for file in (old, new))
        whole = list(difflib.unified_diff(before, after, n=max(len(before), len(after)), lineterm=""))[3:]

        assert contains(whole, lines), f"{page}: this is not how {old} and {new} differ:\n" + "\n".join(lines)


@pytest.mark.parametrize("page", PAGES)
def test_no_quote_is_left_unread(page):
    """What follows a block's language is a title that the tests above can read, and below it something stands."""
    fences = [token for token in tokens(page) if token.type == "fence" and " " in token.info.strip()]
    unread = [
        token.info
        for token in fences
        if not (title := TITLE.fullmatch(token.info))
        or len(title[2].split()) != {"diff": 2}.get(title[1], 1)
        or title[1] not in (*EXCERPTS, "diff")
        or not token.content.strip()
    ]

    assert unread == []


# Where links lead


LEADS = ("link_open", "image")


@functools.cache
def anchors(page):
    """Return the anchors of a page's headings, as code hosts make them."""
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
def test_links_lead_somewhere(page):
    """A link within the repository has its file, and its heading."""
    children = [child for token in tokens(page) for child in token.children or []]
    addresses = [str(child.attrs.get("href") or child.attrs["src"]) for child in children if child.type in LEADS]
    for parts in map(urlsplit, addresses):
        if parts.scheme:
            continue
        address = parts.geturl()
        target = (ROOT / page).parent / unquote(parts.path) if parts.path else ROOT / page

        assert target.exists(), f"{page}: {address} leads nowhere"
        assert target.resolve().is_relative_to(ROOT), f"{page}: {address} leads out of the repository"
        if parts.fragment:
            assert parts.fragment in anchors(target), f"{page}: {address} names no heading"


# What every folder and page has


@pytest.mark.parametrize("folder", APPS)
def test_every_app_has_its_files(folder):
    """Copied out of the repository, a folder still has all that its app needs."""
    missing = [
        name
        for name in ("README.md", "requirements.txt", ".env.example", ".flaskenv")
        if not (ROOT / folder / name).exists()
    ]

    assert missing == []


@pytest.mark.parametrize("folder", APPS)
def test_requirements_are_what_is_imported(folder):
    """Each package that is imported is asked for, and none besides; the bounds are those of pyproject.toml."""
    asked = [Requirement(line) for line in (ROOT / folder / "requirements.txt").read_text("utf-8").split("\n") if line]
    names = {IMPORTED_AS.get(canonicalize_name(one.name), one.name.lower().replace("-", "_")) for one in asked}
    imported = imports(ROOT / folder)

    assert imported - names == set()
    assert names - imported - NOT_ALWAYS_IMPORTED == set()
    assert [str(one) for one in asked] == [str(DEPENDENCIES[canonicalize_name(one.name)]) for one in asked]


def imports(folder):
    """Return the packages that the files of a folder import, without Python's own and without each other."""
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
    """The list has the headings of the specification, in its order."""
    specification = (ROOT / "tests" / "test_login.py").read_text("utf-8")
    headings = re.findall(r"^# (.+)$", specification, re.MULTILINE)
    section = (ROOT / "README.md").read_text("utf-8").partition("## What every app must do")[2].partition("\n## ")[0]

    assert re.findall(r"^- \*\*(.+?)\.\*\*", section, re.MULTILINE) == headings


def test_the_readme_comes_to_the_point():
    """The command by line 20, and fewer than 500 words before the tables."""
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    before_tables = lines[: next(number for number, line in enumerate(lines) if line.startswith("|"))]

    assert "python3 learn.py" in lines[:20]
    assert len(" ".join(before_tables).split()) < 500


def test_the_readme_knows_every_app():
    """An app that the front page does not name is not found."""
    text = (ROOT / "README.md").read_text("utf-8")

    assert [folder for folder in APPS if f"({folder}/README.md)" not in text] == []


@pytest.mark.parametrize("page", LESSONS)
def test_no_lesson_belittles(page):
    """What is simple to the writer is not to the reader, and the word says only that."""
    children = [part for token in tokens(page) for part in (token, *(token.children or []))]
    said = [part.content for part in children if part.type in ("text", "html_block")]  # answers are folded in HTML
    said = [re.sub(r"<code>.*?</code>", "", words, flags=re.DOTALL) for words in said]

    assert [words for words in said if re.search(r"\b(simply|just|obviously|easily)\b", words, re.IGNORECASE)] == []


# What stands in no file

HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "npmjs" + ".com", "deb.debian" + ".org")
HOMES = re.compile(r"(?<![\w.])/(home|Users|root|work)/\w+|\b[A-Z]:\\Users")


def texts():
    """Return the text files that are in git, or will be: not a `.env`, nor what a run has left."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip(reason="this is no git checkout")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout.split("\0")
    for path in (ROOT / name for name in names if name):
        if path.is_file() and b"\0" not in path.read_bytes():
            yield path


def test_no_file_names_a_registry_or_a_machine():
    """The locks work with any registry, and nobody's folders stand in a text."""
    found = [
        path.relative_to(ROOT).as_posix()
        for path in texts()
        for text in [path.read_text("utf-8", "replace")]
        if any(host in text for host in HOSTS) or HOMES.search(text)
    ]

    assert found == []
