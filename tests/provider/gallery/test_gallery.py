"""The gallery: where to begin, what comes next, what is new in each step, and nothing that is not meant to be read."""

import ast
from pathlib import Path

import pytest
import requests
from bs4 import BeautifulSoup
from support.gallery import running_gallery

from fake_provider.gallery.apps import GalleryApp, read_rows
from fake_provider.gallery.markdown import clean, render, slug_of
from fake_provider.gallery.mermaid_svg import draw_sequence_diagram
from fake_provider.gallery.source import app_files, code_lines, count_lines, read_files
from tools.check.apps import find_apps, find_logins
from tools.places import ROOT

LADDER = [
    "step1_bootstrap", "step2_credentials", "step3_login", "facebook", "raw_requests", "raw_requests/session_guard",
    "github_dance", "okta_oidc",
]  # fmt: skip


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """The gallery, in which step 1 runs alone."""
    with running_gallery(tmp_path_factory.mktemp("gallery"), "step1_bootstrap") as gallery:
        yield gallery


@pytest.fixture(scope="module")
def home(gallery):
    """The gallery's first page."""
    return page(gallery, "/")


def page(gallery, path):
    """Return a page of the gallery."""
    reply = requests.get(gallery.provider.url + path, timeout=5)
    reply.raise_for_status()
    return BeautifulSoup(reply.text, "lxml")


def card(home, folder):
    """Return the card of an app."""
    return next(h3 for h3 in home.select(".ladder h3") if h3.get_text().endswith(folder)).find_parent("article")


# The ladder


def test_shows_the_ladder_in_its_order(home):
    """One can see where to start and what comes next."""
    steps = [title.get_text(strip=True).removeprefix("start here") for title in home.select(".ladder h3")]

    assert steps[: len(LADDER)] == [folder for folder in LADDER if folder in find_apps()]
    assert [h3.get_text(" ", strip=True) for h3 in home.select("h3:has(.tag)")] == [f"start here {LADDER[0]}"]


def test_each_card_says_what_its_app_says(home):
    """What it shows and what is new are the app's own first lines."""
    for folder in LADDER:
        words = " ".join(ast.get_docstring(ast.parse((ROOT / folder / "app.py").read_text("utf-8"))).split())

        assert words.split(".")[0] in card(home, folder).get_text()


def test_each_card_says_how_its_app_is(gallery, home):
    """A running app has a link that opens it; a stopped one has its last sentence."""
    running, stopped = card(home, "step1_bootstrap"), card(home, "step3_login")

    assert running.select_one("a.open")["href"] == gallery.apps["step1_bootstrap"].url + "/"
    assert stopped.select("a.open") == []
    assert "CLIENT_ID is missing." in stopped.get_text()


def test_each_login_leads_to_its_trace(gallery, home):
    """From each card of a login app one comes to its logins and its buttons; the others have none."""
    for folder in find_apps():
        links = [link["href"] for link in card(home, folder).select("footer a")]
        leads = any("/_trace?client_id=fake-" in link for link in links)

        assert leads == (folder in [login for login, _ in find_logins()])
    for link in {link for link in links if link.startswith(("/_trace", "/_break"))}:
        assert requests.get(gallery.provider.url + link, headers={"Accept": "text/html"}, timeout=5).ok


def test_without_learn_it_says_how_to_get_one(provider):
    """The provider alone has no ladder, and says so."""
    assert "python3 learn.py" in requests.get(provider.url, timeout=5).text


def test_knows_what_each_app_comes_after(tmp_path):
    """The words "New since step 3:" name the app that the new lines are counted from."""
    with running_gallery(tmp_path) as gallery:
        before = {app.folder: app.before for app in read_rows(tmp_path / "gallery.json")}
        assert gallery.apps == {}

    assert before["step1_bootstrap"] is None
    assert before["step3_login"] == "step2_credentials"
    assert before["facebook"] == before["raw_requests"] == "step3_login"
    assert before["raw_requests/session_guard"] == "raw_requests"


# The source


def test_marks_what_is_new(gallery):
    """Lines that the step before does not have are marked, also for who cannot see colours."""
    soup = page(gallery, "/_source/step2_credentials")
    before = (ROOT / "step1_bootstrap" / "app.py").read_text("utf-8").splitlines()
    now = (ROOT / "step2_credentials" / "app.py").read_text("utf-8").splitlines()
    marked = [line.get_text() for line in soup.select("figure.code ins.line")]

    assert [line.get_text() for line in soup.select("figure.code .line")][: len(now)] == now
    assert {line for line in now if line.strip() and line not in before} <= set(marked)
    assert "app = Flask(__name__)" in before and "app = Flask(__name__)" not in marked


def test_the_first_step_has_nothing_marked(gallery):
    """There is nothing before it."""
    assert page(gallery, "/_source/step1_bootstrap").select("ins") == []


def test_an_app_has_the_files_it_imports():
    """app.py, what it imports from beside it, and the templates; not the program that only lives there."""
    names = {folder: [file.name for file in app_files(ROOT / folder)] for folder in find_apps()}

    assert names["step3_login"] == ["app.py"]
    assert names["raw_requests/session_guard"][:4] == ["app.py", "home.py", "oauth.py", "settings.py"]
    assert "terminal.py" not in names["raw_requests"]


def test_counts_lines_of_code():
    """Blank lines, comments and docstrings are none; a text over several lines is."""
    text = '"""Doc\nstring."""\n\n# comment\nimport os  # more\n\n\ndef f():\n    "why"\n    return """a\n\nb"""\n'

    assert code_lines(text) == {5, 8, 10, 12}
    assert code_lines("def (") == set()


def test_a_missing_app_has_no_lines(tmp_path):
    """An app whose files have gone is shown all the same."""
    assert count_lines(ROOT / "nothing") == 0
    assert read_files(ROOT / "nothing", ROOT / "step1_bootstrap") == []


def test_reads_nothing_from_elsewhere(gallery):
    """Only folders of the gallery, and only files below them."""
    for path in ("/_source/fake_provider", "/_source/../etc", "/_source/tests", "/_source/%2e%2e/%2e%2e/etc"):
        assert requests.get(gallery.provider.url + path, timeout=5).status_code == 404

    assert GalleryApp("../elsewhere", "", "", 1, "", "stopped", "").lines == 0


@pytest.mark.usefixtures("symlinks")
def test_follows_no_link_that_leads_out(tmp_path, monkeypatch):
    """A symbolic link to a file outside the repository is not shown; the app's own file is."""
    monkeypatch.setattr("fake_provider.gallery.source.ROOT", tmp_path / "app")
    (tmp_path / "outside.py").write_text("print()\n", "utf-8")
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text("print()\n", "utf-8")
    own = app_files(folder)
    (folder / "app.py").unlink()
    (folder / "app.py").symlink_to(tmp_path / "outside.py")

    assert (own, app_files(folder)) == ([folder / "app.py"], [])


@pytest.mark.parametrize(
    "path", ["pyproject.toml", "step3_login/app.py", "step3_login/.env", "../README.md", "%2e%2e/x.md", "docs/"]
)
def test_reads_documents_alone(gallery, path):
    """READMEs, documents and their pictures can be read, and nothing else of this machine."""
    assert requests.get(f"{gallery.provider.url}/_read/{path}", timeout=5).status_code == 404


# The lessons


def test_each_lesson_can_be_read(gallery, home):
    """Each README is a page with one heading of the first rank, and the ways on."""
    for folder in [folder for folder in LADDER if Path(ROOT / folder / "README.md").exists()]:
        soup = page(gallery, f"/_read/{folder}/README.md")

        assert len(soup.select("h1")) == 1
        assert soup.select_one("nav[aria-label='Other steps'] a")


def test_links_of_lessons_lead_somewhere(gallery):
    """Each link of a lesson to something here is answered, anchors included."""
    seen: dict[str, BeautifulSoup] = {}
    for folder in [folder for folder in LADDER if Path(ROOT / folder / "README.md").exists()]:
        for link in page(gallery, f"/_read/{folder}/README.md").select(".document a"):
            target, _, anchor = link["href"].partition("#")
            if target.startswith(("http", "#")) or not target:
                continue
            if target not in seen:
                seen[target] = page(gallery, target)

            assert not anchor or seen[target].find(id=anchor), link["href"]
    assert seen


def test_of_html_only_plain_tags_are_left():
    """Tags without attributes from a short list stay; all else is shown as it is written."""
    html = render(
        '<details><summary>A</summary>\n<b onclick="x">&lt;b&gt;</b> <code>&amp;lt;</code>\n</details>\n\n'
        '<script>alert(1)</script>\n\n<details open ontoggle="x">\n\nx <img src=x onerror=y> [a](javascript:alert(1))',
        lambda link: None,
    )
    soup = BeautifulSoup(html, "lxml")

    assert {tag.name for tag in soup.select("body *")} == {"details", "summary", "code", "p"}
    assert all(not tag.attrs for tag in soup.select("body *"))
    assert soup.code.get_text() == "&lt;"
    assert clean("<details><b>") == "<details>&lt;b&gt;"


def test_links_and_pictures_go_where_they_are_sent():
    """A link that leads nowhere is text; an outside one sends no referrer; pictures are this provider's alone."""
    text = "[a](x.md) [b](y.md) [c](https://example.com) ![d](p.png) ![e](https://example.com/e.png)"
    html = render(text, {"x.md": "/x", "https://example.com": "https://example.com", "p.png": "/p.png"}.get)

    assert '<a href="/x">a</a> b <a href="https://example.com" rel="noreferrer">c</a>' in html
    assert html.count("<img") == 1 and 'src="/p.png"' in html


def test_headings_have_the_anchors_that_github_gives():
    """So that the same link works there and here."""
    assert slug_of("What `state` is for, and why?") == "what-state-is-for-and-why"
    assert 'id="a-1"' in render("# a\n\n# a\n", lambda link: None)


def test_diagrams_of_lessons_are_drawn():
    """A Mermaid sequence diagram is drawn here; what is not known stays text."""
    text = "sequenceDiagram\n participant A as App\n participant P as <Provider>\n A->>P: code\n P-->>A: token & all\n"
    soup = BeautifulSoup(draw_sequence_diagram(text, 1), "lxml")

    assert [label.get_text() for label in soup.select(".label")] == [
        "App to <Provider>: code",
        "<Provider> to App: token & all",
    ]
    assert [("reply" in svg["class"]) for svg in soup.select("svg.arrow")] == [False, True]
    assert draw_sequence_diagram("graph TD\n A-->B", 1) is None and draw_sequence_diagram(text + " loop x\n", 1) is None
    assert "<code>" in render("```mermaid\ngraph TD\n```\n", lambda link: None)
