"""The excerpts of pages are found again in files that have changed, and never by a guess."""

from __future__ import annotations

import pytest

from tools.learn.excerpts import find_blocks, find_pages, refresh_page, update
from tools.places import ROOT

SOURCE = """import os


def login():
    check(request)
    session["state"] = new_state()
    return redirect(URL)


def callback():
    check(request)
    return redirect("/")
""".splitlines()


def page(*lines, title='python title="app.py"', indent=""):
    """Return a page with one block."""
    return "\n".join(["Before.", "", *(indent + line for line in [f"```{title}", *lines, "```"]), "After.", ""])


@pytest.fixture
def root(tmp_path):
    """A folder with the files that are quoted."""
    (tmp_path / "app.py").write_text("\n".join(SOURCE) + "\n", "utf-8")
    (tmp_path / "old.py").write_text("a\nb\nc\nd\n", "utf-8")
    (tmp_path / "new.py").write_text("a\nB\nc\nd\n", "utf-8")
    return tmp_path


def test_a_block_that_is_right_stays(root):
    """Also one that is indented less than in its file."""
    text = page("check(request)", 'session["state"] = new_state()')

    assert refresh_page(text, root) == (text, [])


def test_a_changed_line_is_copied(root):
    """The first and the last line tell which part it is."""
    old = page("def login():", "    check(request)", '    session["state"] = state()', "    return redirect(URL)")

    assert refresh_page(old, root) == (page(*SOURCE[3:7]), [])


def test_a_changed_first_line_is_found(root):
    """A block may begin or end with the very line that has changed, if the rest is the same."""
    old = page("def log_in():", *SOURCE[4:6], "    return redirect(URL, 303)")

    assert refresh_page(old, root) == (page(*SOURCE[3:7]), [])


def test_a_block_keeps_its_indentation(root):
    """A block in a list is indented as the list is, and the lines in it as they were."""
    old = page("    check(request)", "    return redirect(URL)", indent="  ")

    assert refresh_page(old, root) == (page(*SOURCE[4:7], indent="  "), [])


def test_the_most_similar_part_is_chosen(root):
    """Several parts may begin and end with these lines: here both functions do with `check`."""
    old = ["check(request)", 'return redirect("/") ']

    assert update(old, SOURCE) == ["check(request)", 'return redirect("/")']


@pytest.mark.parametrize(
    "lines",
    [
        ("def logout():", "    return redirect(URL)"),  # it begins nowhere
        ("import os", "    return redirect(URL)"),  # nothing but its ends is like it
        (),
    ],
    ids=["gone", "too different", "empty"],
)
def test_a_block_that_is_lost_is_named(root, lines):
    """It stays as it is, and a sentence names its line and its file."""
    text = page(*lines)
    new, problems = refresh_page(text, root)

    assert new == text
    assert len(problems) == 1 and problems[0].startswith("line 3: the block from app.py is not there any more")


def test_two_parts_alike_are_no_guess():
    """Where two parts are as much like the block, you have to say which one is meant."""
    source = ["begin", "new", "end", "", "begin", "new", "end"]

    assert update(["begin", "old", "end"], source[:3]) == source[:3]
    assert update(["begin", "old", "end"], source) is None


def test_a_missing_file_is_named(root):
    """A page may quote a file that has a new name."""
    text = page("a", title='python title="gone.py"')
    new, problems = refresh_page(text, root)

    assert new == text
    assert len(problems) == 1 and "gone.py cannot be read" in problems[0]


def test_a_diff_is_of_both_files(root):
    """A block that names two files is a part of their difference."""
    old = page(" a", "-b", "+b", " c", title='diff title="old.py new.py"')

    assert refresh_page(old, root) == (page(" a", "-b", "+B", " c", title='diff title="old.py new.py"'), [])


def test_other_blocks_are_left_alone():
    """A block without a title is not a quotation, and a fence in a longer fence is text."""
    lines = ["```python", "a", "```", "````markdown", '```python title="app.py"', "a", "```", "````"]

    assert list(find_blocks(lines[:3])) == []
    assert list(find_blocks(lines)) == []


@pytest.mark.parametrize("file", find_pages(ROOT), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_pages_of_this_repository_stay_as_they_are(file):
    """What refresh takes for right is what the pages have now."""
    text = file.read_text("utf-8")

    assert refresh_page(text, ROOT) == (text, [])
