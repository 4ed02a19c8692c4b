"""The pages of the provider and of the apps, checked by axe for accessibility: light and dark, wide and narrow."""

from urllib.parse import urljoin, urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from support.gallery import running_gallery
from support.manual_client import ManualClient

from tools.apps import app_folders

LOOKS = [("light", 1280), ("dark", 390)]  # colour scheme and width
MAX_PAGES = 12  # of one app
WEEKLY = ("one login", "troubleshooting")  # long pages, of the same parts as the trace and the lesson
OF_PROVIDER = {
    "gallery": "/",
    "trace": "/_trace",
    "one login": "/_trace/logins/FIRST",
    "compare": "/_trace/compare?left=FIRST&right=LAST",
    "forgotten login": "/_trace/logins/999999",
    "break it": "/_break",
    "break an app": "/_break?client_id=fake-okta-oidc",
    "lesson": "/_read/step3_login/README.md",
    "glossary": "/_read/docs/glossary.md",
    "troubleshooting": "/_read/docs/troubleshooting.md",
    "source": "/_source/step3_login",
    "provider": "/okta/",
    "console": "/github/developer",
    "client": "/github/developer/fake-github-dance",
    "sign in": "/google/o/oauth2/auth?client_id=fake-raw-requests&response_type=code"
    "&redirect_uri=http://localhost:5000/callback/google",
    "sign up": "/okta/signin/register?client_id=fake-okta-oidc&redirect_uri=http://localhost:5000/oidc/callback",
    "cannot begin": "/github/login/oauth/authorize?client_id=unknown",
    "not found": "/nothing",
}


@pytest.fixture(scope="module")
def page(chrome):
    """A page for all tests: the browser parses the script of axe again in each new process."""
    page = chrome.new_page()
    page.set_default_timeout(10_000)
    yield page
    page.close()


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """The gallery, with two logins in the trace, the second with a fault, and step 3 running."""
    with running_gallery(tmp_path_factory.mktemp("gallery"), "step3_login") as gallery:
        for client, dialect, scope in (("step3-login", "simplelogin", "email"), ("okta-oidc", "okta", "openid")):
            if dialect == "okta":
                gallery.provider.inject_fault("token", id_token={"sign": "other key"})
            manual_client = ManualClient(gallery.provider, client, dialect)
            manual_client.log_in(scope=scope)
            manual_client.session.close()
        yield gallery


def problems(page):
    """Return what axe finds on the open page in each look, and whether the page is wider than the window."""
    page.evaluate(AXE_SCRIPT)
    found = []
    for scheme, width in LOOKS:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # else Bootstrap's colours change slowly
        page.set_viewport_size({"width": width, "height": 800})
        # A page without a background has the browser's default colours. Axe assumes white even in a dark scheme.
        plain = page.evaluate("getComputedStyle(document.body).backgroundColor === 'rgba(0, 0, 0, 0)'")
        # Axe collects each element that passes too, unless it is told not to: a fifth of this file's processor time.
        options = {"resultTypes": ["violations"]}
        options["rules"] = {"color-contrast": {"enabled": not (plain and scheme == "dark")}}
        found += [
            f"{scheme}, {width}: {rule['id']} ({rule['help']}): {node['html'][:200]}"
            for rule in page.evaluate("options => axe.run(options)", options)["violations"]
            for node in rule["nodes"]
        ]
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        found += [f"{scheme}, {width}: wider than the window"] * page.evaluate(wide)
    return found


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.weekly] * (name in WEEKLY)) for name in OF_PROVIDER]
)
def test_pages_of_the_provider_are_accessible(gallery, page, name):
    """Each page of the provider has no problem, with all its details opened."""
    messages = gallery.provider.trace()
    first, last = messages[0]["number"], next(m["number"] for m in messages if m["dialect"] == "okta")
    page.goto(gallery.provider.url + OF_PROVIDER[name].replace("FIRST", str(first)).replace("LAST", str(last)))
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")

    assert problems(page) == []


def test_the_consent_page_is_accessible(gallery, page):
    """The page that asks for consent has no problem."""
    page.goto(gallery.provider.url + OF_PROVIDER["sign in"] + "&scope=openid")
    page.get_by_role("button", name="Ada Lovelace").click()
    page.get_by_role("button", name="Allow").wait_for()

    assert problems(page) == []


@pytest.mark.parametrize("folder", app_folders())
def test_pages_of_the_apps(start_app, provider, page, folder):
    """Each page that an app's home page links to, before and after a login, and the pages of its errors.

    Steps 1 and 2 have no error pages of their own yet, only Werkzeug's.
    """
    app = start_app(folder)
    page.goto(app.url)
    visited = {page.url}
    login = page.get_by_role("link", name="Log in with")
    if login.count():
        found = {path: _visit(page, app.url + path) for path in ("/", "/nothing", "/logout")}
        for decision in ("Deny", "Allow"):
            page.goto(app.url)
            login.first.click()
            if page.get_by_role("button", name="Ada Lovelace").count():
                page.get_by_role("button", name="Ada Lovelace").click()
            page.get_by_role("button", name=decision).click()
            page.wait_for_url(f"{app.url}/**")
            found[decision] = problems(page)
            visited = {page.url.partition("#")[0]}
    else:
        found = {"/": problems(page)}
    found |= {url: _visit(page, url) for url in _links(page, app) if url not in visited}
    page.context.clear_cookies()

    assert {place: said for place, said in found.items() if said} == {}


def _visit(page, url):
    """Return the problems of the page at this URL."""
    page.goto(url)
    return problems(page)


def _links(page, app):
    """Return the URLs of the app's own pages that the home page links to."""
    page.goto(app.url)
    links = [urljoin(page.url, link.get_attribute("href")) for link in page.locator("a[href]").all()]
    own = [link for link in links if urlsplit(link).netloc == urlsplit(app.url).netloc]
    return list(dict.fromkeys([f"{app.url}/", *own]))[:MAX_PAGES]


def test_finds_problems_on_a_broken_page(page):
    """The control: a page without alternative text, with low contrast and too wide has problems in each look."""
    page.set_content("<img src='data:,'><p style='color: #aaa; background: #fff'>pale</p><div style='width: 3000px'>")

    found = problems(page)

    for scheme, width in LOOKS:
        assert sum(line.startswith(f"{scheme}, {width}: ") for line in found) >= 3
