"""The gallery: the order of the apps, their states, READMEs and sources, and no other file of this machine."""

import ast
import json
from pathlib import Path

import pytest
import requests
from bs4 import BeautifulSoup
from support.gallery import running_gallery

from fake_provider.gallery.apps import GalleryApp, LearnGallery
from fake_provider.gallery.markdown import clean, render, slug_of
from fake_provider.gallery.mermaid_svg import draw_sequence_diagram
from fake_provider.gallery.source import app_files, code_lines, count_lines, read_files
from tools.apps import app_folders, find_apps
from tools.check.apps import find_logins
from tools.learn.gallery import Gallery
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
    response = requests.get(gallery.provider.url + path, timeout=5)
    response.raise_for_status()
    return BeautifulSoup(response.text, "lxml")


def card(home, folder):
    """Return the card of an app."""
    return next(h3 for h3 in home.select(".ladder h3") if h3.get_text().endswith(folder)).find_parent("article")


# The ladder


def test_shows_the_ladder_in_its_order(home):
    """The apps are in the order of the lessons, and the first is marked as the start."""
    steps = [title.get_text(strip=True).removeprefix("start here") for title in home.select(".ladder h3")]

    assert steps[: len(LADDER)] == [folder for folder in LADDER if folder in app_folders()]
    assert [h3.get_text(" ", strip=True) for h3 in home.select("h3:has(.tag)")] == [f"start here {LADDER[0]}"]


def test_each_card_says_what_its_app_says(home):
    """A card has the first sentence of the app's docstring."""
    for folder in LADDER:
        words = " ".join(ast.get_docstring(ast.parse((ROOT / folder / "app.py").read_text("utf-8"))).split())

        assert words.split(".")[0] in card(home, folder).get_text()


def test_each_card_says_the_state_of_its_app(gallery, home):
    """A running app has a link that opens it; a stopped app has the last sentence that it printed."""
    running, stopped = card(home, "step1_bootstrap"), card(home, "step3_login")

    assert running.select_one("a.open")["href"] == gallery.apps["step1_bootstrap"].url + "/"
    assert stopped.select("a.open") == []
    assert "CLIENT_ID is missing." in stopped.get_text()


def test_each_login_leads_to_its_trace(gallery, home):
    """The card of each app with a login links to its trace and its faults; the other cards have no such link."""
    for folder in app_folders():
        links = [link["href"] for link in card(home, folder).select("footer a")]
        has_trace = any("/_trace?client_id=fake-" in link for link in links)

        assert has_trace == (folder in [login for login, _ in find_logins()])
    for link in {link for link in links if link.startswith(("/_trace", "/_break"))}:
        assert requests.get(gallery.provider.url + link, headers={"Accept": "text/html"}, timeout=5).ok


def test_without_learn_it_says_how_to_get_one(provider):
    """The provider alone has no ladder, names the command that shows one, and has none of the gallery's pages."""
    assert "python3 learn.py" in requests.get(provider.url, timeout=5).text
    for path in ("/_read/README.md", "/_source/step1_bootstrap"):
        assert requests.get(provider.url + path, timeout=5).status_code == 404


def test_knows_what_each_app_comes_after(tmp_path):
    """The words "New since step 3:" name the app that an app is compared with."""
    with running_gallery(tmp_path) as gallery:
        before = {app.folder: app.before for app in LearnGallery(tmp_path / "gallery.json").listed_apps()}
        assert gallery.apps == {}

    assert before["step1_bootstrap"] is None
    assert before["step3_login"] == "step2_credentials"
    assert before["facebook"] == before["raw_requests"] == "step3_login"
    assert before["raw_requests/session_guard"] == "raw_requests"


# The source


def test_marks_what_is_new(gallery):
    """Lines that the step before does not have are marked, by an element and not by colour alone."""
    soup = page(gallery, "/_source/step2_credentials")
    before = (ROOT / "step1_bootstrap" / "app.py").read_text("utf-8").splitlines()
    now = (ROOT / "step2_credentials" / "app.py").read_text("utf-8").splitlines()
    marked = [line.get_text() for line in soup.select("figure.code ins.line")]

    assert [line.get_text() for line in soup.select("figure.code .line")][: len(now)] == now
    assert {line for line in now if line.strip() and line not in before} <= set(marked)
    assert "app = Flask(__name__)" in before and "app = Flask(__name__)" not in marked


def test_the_first_step_has_nothing_marked(gallery):
    """No app comes before the first step, so no line of it is new."""
    assert page(gallery, "/_source/step1_bootstrap").select("ins") == []


def test_an_app_has_the_files_it_imports():
    """app.py, the modules beside it that it imports, and the templates; no other program of the folder."""
    names = {folder: [file.name for file in app_files(ROOT / folder, ROOT)] for folder in app_folders()}

    assert names["step3_login"] == ["app.py"]
    assert names["raw_requests/session_guard"][:4] == ["app.py", "home.py", "oauth.py", "sessions.py"]
    assert "terminal.py" not in names["raw_requests"]


def test_counts_lines_of_code():
    """Blank lines, comments and docstrings do not count; each line of a multi-line string does."""
    text = '"""Doc\nstring."""\n\n# comment\nimport os  # more\n\n\ndef f():\n    "why"\n    return """a\n\nb"""\n'

    assert code_lines(text) == {5, 8, 10, 12}
    assert code_lines("def (") == set()


def test_a_missing_app_has_no_lines(tmp_path):
    """An app whose files were removed has no lines, and raises no error."""
    assert count_lines(ROOT / "nothing", ROOT) == 0
    assert read_files(ROOT / "nothing", ROOT / "step1_bootstrap", ROOT) == []


def test_reads_nothing_from_elsewhere(gallery):
    """The source pages show folders of the gallery's apps only, and only files below them."""
    for path in ("/_source/fake_provider", "/_source/../etc", "/_source/tests", "/_source/%2e%2e/%2e%2e/etc"):
        assert requests.get(gallery.provider.url + path, timeout=5).status_code == 404

    assert GalleryApp(ROOT, "../elsewhere", "", "", 1, "", "stopped", "").lines == 0


@pytest.mark.usefixtures("symlinks")
def test_follows_no_link_that_leads_out(tmp_path):
    """A symbolic link to a file outside the repository is not shown; the app's own file is."""
    (tmp_path / "outside.py").write_text("print()\n", "utf-8")
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text("print()\n", "utf-8")
    own = app_files(folder, folder)
    (folder / "app.py").unlink()
    (folder / "app.py").symlink_to(tmp_path / "outside.py")

    assert (own, app_files(folder, folder)) == ([folder / "app.py"], [])


@pytest.mark.parametrize(
    "path", ["pyproject.toml", "step3_login/app.py", "step3_login/.env", "../README.md", "%2e%2e/x.md", "docs/"]
)
def test_reads_only_documents(gallery, path):
    """READMEs, documents and their pictures can be read, and no other file of this machine."""
    assert requests.get(f"{gallery.provider.url}/_read/{path}", timeout=5).status_code == 404


def test_shows_a_readme_and_a_line_of_source(gallery):
    """The file says where the repository is: with another root the pages would be empty, or missing."""
    readme, source = page(gallery, "/_read/step3_login/README.md"), page(gallery, "/_source/step3_login")
    app = (ROOT / "step3_login" / "app.py").read_text("utf-8")

    assert (ROOT / "step3_login" / "README.md").read_text("utf-8").startswith(f"# {readme.h1.get_text()}\n")
    assert [line.get_text() for line in source.select(".line")][: len(app.splitlines())] == app.splitlines()


def test_the_root_is_the_one_in_the_file(tmp_path):
    """Files are read below the root that learn.py writes, and not beside the provider's package."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "app.py").write_text('print("mine")\n', "utf-8")
    row = {"folder": "mine", "shows": "", "new": "", "port": 1, "url": "", "state": "stopped", "last_words": ""}
    file = tmp_path / "gallery.json"
    file.write_text(json.dumps({"root": str(tmp_path), "apps": [row]}), "utf-8")
    (app,) = LearnGallery(file).listed_apps()

    assert app.lines == 1 and not app.has_readme
    assert read_files(app.path, None, app.root)[0].lines[0].text == 'print("mine")'


def test_learn_writes_the_root(tmp_path):
    """The file of learn.py names the root of this repository and each app, in its state."""
    apps = find_apps()
    learn = Gallery(tmp_path / "gallery.json", apps)
    learn.set_state(apps[0].folder, "stopped", "It stopped.")
    gallery = LearnGallery(tmp_path / "gallery.json")
    listed = gallery.listed_apps()

    assert gallery.root() == ROOT
    assert [app.folder for app in listed] == [app.folder for app in apps]
    assert (listed[0].state, listed[0].last_words, listed[1].state) == ("stopped", "It stopped.", "starting")
    assert all(app.lines for app in listed)


# The lessons


def test_each_lesson_can_be_read(gallery, home):
    """Each README is a page with one heading of the first level, and links to the steps before and after it."""
    for folder in [folder for folder in LADDER if Path(ROOT / folder / "README.md").exists()]:
        soup = page(gallery, f"/_read/{folder}/README.md")

        assert len(soup.select("h1")) == 1
        assert soup.select_one("nav[aria-label='Other steps'] a")


def test_links_of_lessons_lead_somewhere(gallery):
    """Each link of a lesson to a page of the provider leads to that page, and each anchor to a heading there."""
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


def test_only_a_few_plain_tags_stay_html():
    """XSS: tags without attributes from a short list stay HTML; all other HTML is shown as text."""
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


def test_links_and_pictures_lead_to_known_pages():
    """A link without a target is text, an external link sends no referrer, and pictures are the provider's only."""
    text = "[a](x.md) [b](y.md) [c](https://example.com) ![d](p.png) ![e](https://example.com/e.png)"
    html = render(text, {"x.md": "/x", "https://example.com": "https://example.com", "p.png": "/p.png"}.get)

    assert '<a href="/x">a</a> b <a href="https://example.com" rel="noreferrer">c</a>' in html
    assert html.count("<img") == 1 and 'src="/p.png"' in html


def test_headings_have_the_anchors_that_github_gives():
    """The same link with an anchor works on GitHub and here."""
    assert slug_of("What `state` is for, and why?") == "what-state-is-for-and-why"
    assert 'id="a-1"' in render("# a\n\n# a\n", lambda link: None)


def test_diagrams_of_lessons_are_drawn():
    """A Mermaid sequence diagram is drawn; a diagram with other syntax stays text."""
    text = "sequenceDiagram\n participant A as App\n participant P as <Provider>\n A->>P: code\n P-->>A: token & all\n"
    soup = BeautifulSoup(draw_sequence_diagram(text, 1), "lxml")

    assert [label.get_text() for label in soup.select(".label")] == [
        "App to <Provider>: code",
        "<Provider> to App: token & all",
    ]
    assert [("response" in svg["class"]) for svg in soup.select("svg.arrow")] == [False, True]
    assert draw_sequence_diagram("graph TD\n A-->B", 1) is None and draw_sequence_diagram(text + " loop x\n", 1) is None
    assert "<code>" in render("```mermaid\ngraph TD\n```\n", lambda link: None)
