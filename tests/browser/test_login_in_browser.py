"""Logins by clicks in Chromium, where provider and app are two sites; and the gallery and the trace there."""

import re
import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from support.gallery import running_gallery
from support.manual_client import ManualClient

from tools.check.apps import find_logins, login_id, provider_names, wait_for

LOGINS = find_logins()
# The code of an app is the same for its second provider, but for the names of the two.
EACH_APP = pytest.mark.parametrize(
    "app",
    [pytest.param(login, marks=[pytest.mark.weekly] * (login[1] != provider_names(login[0])[0])) for login in LOGINS],
    indirect=True,
    ids=login_id,
)


@pytest.fixture(scope="module")
def context(chrome):
    """A browser for all tests: a new one takes new processes."""
    context = chrome.new_context()
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context):
    """A page of the browser, without cookies; a JavaScript error, or what the page's own policy blocks, fails the test.

    So does a request to another machine: all pages work without internet.
    """
    errors = []
    listeners = {
        "weberror": lambda error: errors.append(str(error.error)),
        "console": lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None,
        "request": lambda request: errors.append(request.url) if not _is_local(request.url) else None,
    }
    for event, listener in listeners.items():
        context.on(event, listener)
    yield context.new_page()
    for tab in context.pages:
        tab.close()
    for event, listener in listeners.items():
        context.remove_listener(event, listener)
    context.clear_cookies()
    assert not errors


def _is_local(url):
    return url.startswith(("data:", "blob:", "about:")) or urlsplit(url).hostname in ("localhost", "127.0.0.1")


def log_in_as(page, app, person):
    """Log in as this person by clicks on the provider's pages, and allow."""
    page.goto(app.url)
    page.get_by_role("link", name=app.login_words).click()
    page.get_by_role("button", name=person).click()
    page.get_by_role("button", name="Allow").click()


@EACH_APP
def test_logs_in_and_out_by_clicks(app, page, provider):
    """Clicks log the user in, and a click logs out. Logout CSRF: a form on another site that posts there does not."""
    log_in_as(page, app, "Ada Lovelace")
    page.wait_for_url(f"{app.url}/**")
    page.goto(provider.url)
    page.evaluate(
        """url => { const form = document.createElement("form"); form.method = "post"; form.action = url;
           document.body.append(form); form.submit() }""",
        f"{app.url}/logout",
    )
    page.wait_for_url(f"{app.url}/**")
    page.goto(app.url)

    assert page.get_by_text("Logged in as Ada Lovelace").is_visible()
    page.get_by_role("button", name="Log out").click()
    page.goto(app.url)
    assert page.get_by_role("link", name=app.login_words).is_visible()


def navigations(page):
    """Return a list to which each URL is added that the page opens."""
    opened = []
    page.on("request", lambda request: opened.append(request.url) if request.is_navigation_request() else None)
    return opened


@EACH_APP
def test_back_forward_and_reload_keep_the_login(app, page):
    """A user who is logged in never sees "Login failed", whichever of the browser's buttons they press.

    The first Back opens the provider, which redirects to the callback once more, and the callback leads home.
    """
    opened = navigations(page)
    log_in_as(page, app, "Ada Lovelace")
    page.wait_for_load_state()
    titles, before_back = [page.title()], len(opened)
    page.go_back()
    callback_url, home, greeting = opened[before_back + 1], page.url, page.get_by_text("Logged in as Ada Lovelace")

    assert callback_url.startswith(f"{app.url}/") and "code=" in callback_url
    assert home.partition("#")[0] == f"{app.url}/"  # Facebook adds #_=_
    assert greeting.is_visible()
    for press in (page.reload, page.go_forward, page.reload, page.go_back, page.go_back, page.go_forward):
        press()
        page.wait_for_load_state()
        titles.append(page.title())
    page.goto(app.url)

    assert "Login failed" not in titles
    assert page.get_by_text("Logged in as Ada Lovelace").is_visible()


def restore(tabs, urls):
    """Open each of these URLs in its tab, all at the same time, as a browser does after its start."""
    for tab, url in zip(tabs, urls, strict=True):
        tab.evaluate("url => { location.href = url }", url)


@EACH_APP
def test_five_restored_tabs_stay_or_log_in_again(app, page):
    """Tabs of the callback and of the page after it, restored at once, say nothing else than before.

    After the session has ended, each tab of a page that needs a login logs in again by itself, beside the four others;
    a home page stays open.
    """
    opened = navigations(page)
    log_in_as(page, app, "Ada Lovelace")
    page.wait_for_load_state()
    landed, callback_url = page.url, next(url for url in opened if url.startswith(app.url) and "code=" in url)
    tabs = [page.context.new_page() for _ in range(5)]
    restore(tabs, [callback_url, landed, callback_url, landed, callback_url])

    for tab in tabs:
        expect(tab.get_by_text("Logged in as Ada Lovelace")).to_be_visible()
        assert tab.title() != "Login failed"

    cookies = [cookie for cookie in page.context.cookies() if cookie["name"] == "fake_provider"]
    page.context.clear_cookies()
    page.context.add_cookies(cookies)
    for tab in (page, *tabs):
        tab.goto("about:blank")
    landed = landed.partition("#")[0]
    restore(tabs, [landed] * 5)

    words = app.login_words if landed == f"{app.url}/" else "Logged in as Ada Lovelace"
    for tab in tabs:
        expect(tab.get_by_text(words).first).to_be_visible()
        assert tab.title() != "Login failed"


@EACH_APP
def test_a_login_in_a_second_tab_ends_well(app, page):
    """While one tab shows the consent page, another logs in, with another provider if there is one: both end well."""
    names = [name for folder, name in find_logins() if folder == app.folder]
    other = next((name for name in names if name != app.provider_name), app.provider_name)
    second = page.context.new_page()
    page.goto(app.url)
    page.get_by_role("link", name=app.login_words).click()
    page.get_by_role("button", name="Ada Lovelace").click()
    page.get_by_role("button", name="Allow").wait_for()
    second.goto(app.url)
    second.get_by_role("link", name=f"Log in with {other or ''}").click()
    for words in ("Ada Lovelace", "Allow"):
        if second.get_by_role("button", name=words).count():
            second.get_by_role("button", name=words).click()
    second.goto(app.url)
    expect(second.get_by_text("Logged in as Ada Lovelace")).to_be_visible()
    page.get_by_role("button", name="Allow").click()

    expect(page.get_by_text("Logged in as Ada Lovelace")).to_be_visible()
    assert page.title() != "Login failed"


@EACH_APP
def test_every_page_of_a_login_is_well_formed(app, page, provider):
    """Each page has a language, a title and one first-level heading, and fits a narrow window; Deny leads to a page."""
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(app.url)
    seen = [_structure(page)]
    page.get_by_role("link", name=app.login_words).click()
    seen.append(_structure(page))
    page.get_by_role("button", name="Ada Lovelace").click()
    seen.append(_structure(page))
    page.get_by_role("button", name="Deny").click()
    seen.append(_structure(page))

    assert seen == [{"lang": "en", "headings": 1, "titled": True, "fits": True}] * 4
    expect(page).to_have_title("Login failed")
    assert page.get_by_role("link", name="Try again").is_visible()


def _structure(page):
    page.wait_for_load_state()  # a click waits only until the next page begins to load
    return page.evaluate(
        """() => ({lang: document.documentElement.lang, headings: document.querySelectorAll("h1").length,
                   titled: document.title !== "",
                   fits: document.documentElement.scrollWidth <= document.documentElement.clientWidth})"""
    )


@EACH_APP
def test_logs_in_by_keyboard(app, page):
    """Tab and Enter are enough for a whole login. Cross-site scripting: a script in the name is shown, and not run."""
    page.goto(app.url)
    _tab_to(page, app.login_words)
    page.keyboard.press("Enter")
    page.wait_for_url("**/127.0.0.1:*/**")
    _tab_to(page, "Bobby")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Allow").wait_for()
    _tab_to(page, "Allow")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{app.url}/**")
    page.goto(app.url)

    assert page.get_by_text("Logged in as Bobby <script>").is_visible()
    assert page.title() != "broken"


def _tab_to(page, words):
    def focused():
        page.keyboard.press("Tab")
        return page.evaluate("document.activeElement.innerText || ''").strip().startswith(words.strip())

    wait_for(focused, f"the focus to reach {words}", 10)


# Cookies, as a browser keeps them


def session_cookie(page, app):
    """Return the app's only cookie."""
    page.goto(app.url)
    page.get_by_role("link", name=app.login_words).click()
    page.wait_for_load_state()
    (cookie,) = [cookie for cookie in page.context.cookies(app.url) if cookie["name"] != "fake_provider"]
    return cookie


@EACH_APP
def test_the_cookie_is_http_only_and_same_site(app, page):
    """Chromium stores the cookie as HttpOnly and SameSite=Lax, for this host only, and no script can read it."""
    cookie = session_cookie(page, app)
    page.goto(app.url)

    assert (cookie["httpOnly"], cookie["sameSite"], cookie["domain"]) == (True, "Lax", "localhost")
    assert cookie["name"] not in page.evaluate("document.cookie")


@pytest.mark.parametrize(  # each app's headers are in test_login.py; here it is Chromium that reads them
    "app",
    [pytest.param(login, marks=[pytest.mark.weekly] * (login[0] != "step3_login")) for login in LOGINS],
    indirect=True,
    ids=login_id,
)
def test_the_cookie_is_secure_over_https(app, make_app, page):
    """With an https URL the cookie is Secure; the practice URL over http is the control."""
    public = make_app(app.folder, URL="https://localhost", SECRET_KEY="long, random and secret")
    public.provider_name = app.provider_name
    over_http = session_cookie(page, app)
    page.context.clear_cookies()

    assert not over_http["secure"]
    assert session_cookie(page, public)["secure"]


# From the gallery to a finished lesson


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """The gallery, with step 3 running."""
    with running_gallery(tmp_path_factory.mktemp("gallery"), "step3_login") as gallery:
        yield gallery


def test_a_learner_follows_the_gallery(gallery, page, chrome):
    """From the gallery a learner logs in, opens the trace, logs out, denies and injects a fault, by clicks only."""
    page.goto(gallery.provider.url)
    page.get_by_role("link", name="Open step3_login").click()
    page.get_by_role("link", name="Log in with SimpleLogin").click()
    page.get_by_role("button", name="Ada Lovelace").click()
    page.get_by_role("button", name="Allow").click()
    page.get_by_text("Logged in as Ada Lovelace").wait_for()

    page.goto(gallery.provider.url)
    page.get_by_role("link", name="Trace of step3_login").click()
    page.locator("summary", has_text="token request").click()
    covered = page.locator("dd", has_text="Proves that the app itself is asking").locator("details.secret")
    assert "fake-secret" not in covered.inner_text()
    covered.locator("summary").click()
    assert "fake-secret-of-step3-login" in covered.inner_text()
    assert page.locator(".sequence .warning").count() == 0

    page.goto(gallery.apps["step3_login"].url)
    page.get_by_role("button", name="Log out").click()
    _sign_out(page, gallery)
    page.goto(gallery.apps["step3_login"].url)
    page.get_by_role("link", name="Log in with SimpleLogin").click()
    page.get_by_role("button", name="Grace Hopper").click()
    page.get_by_role("button", name="Deny").click()
    expect(page).to_have_title("Login failed")

    page.goto(gallery.provider.url)
    page.get_by_role("link", name="Break it in step3_login").click()
    page.get_by_role("button", name="Login CSRF: send another user's state").click()
    page.get_by_role("link", name="step3_login", exact=True).click()
    page.get_by_role("link", name="Log in with SimpleLogin").click()
    page.get_by_role("button", name="Allow").click()
    expect(page).to_have_title("Login failed")
    page.goto(f"{gallery.provider.url}/_break?client_id=fake-step3-login")
    assert page.get_by_text(re.compile("This one (has asked for nothing since|stopped there)")).is_visible()


def _sign_out(page, gallery):
    page.goto(f"{gallery.provider.url}/simplelogin/")
    page.get_by_role("button", name="Sign out of SimpleLogin").click()


def test_each_lesson_links_to_the_next(gallery, page):
    """From the first lesson, links lead to each next one."""
    page.goto(gallery.provider.url)
    page.get_by_role("link", name="Lesson of step1_bootstrap").click()
    for folder in ("step2_credentials", "step3_login"):
        page.get_by_role("navigation", name="Other steps").get_by_role("link", name=folder).click()
    page.get_by_role("navigation", name="This step").get_by_role("link", name="Source").click()
    page.wait_for_load_state()

    assert page.get_by_role("heading", level=1).inner_text() == "Source of step3_login"
    assert page.locator("ins.line").count() > 20


# The trace, live


def test_the_trace_updates_during_a_login(provider, page, chrome):
    """An open page shows each message within half a second, and what the user has opened stays open."""
    page.goto(f"{provider.url}/_trace")
    page.get_by_text("Live").wait_for()
    client = ManualClient(provider)
    code = client.ask()["code"]
    page.locator("summary", has_text="authorization request").first.click()
    opened = page.locator(".sequence > li > details[open]")
    key = opened.get_attribute("id")
    began = time.monotonic()
    client.exchange(code)
    page.locator("summary", has_text="token reply").wait_for()
    took = time.monotonic() - began
    client.session.close()

    assert took < 0.5
    assert opened.get_attribute("id") == key
    assert page.evaluate("document.activeElement.parentElement.id") == key


def test_works_without_javascript(provider, chrome):
    """Without JavaScript the trace is complete, and says how to update it."""
    client = ManualClient(provider)
    client.log_in()
    client.session.close()
    context = chrome.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{provider.url}/_trace")
    page.locator("summary", has_text="token request").click()
    status = page.get_by_role("status").inner_text()
    visible = page.get_by_text("Proves that the app itself is asking").is_visible()
    context.close()

    assert visible and "Load this page again" in status


def test_an_arrow_opens_by_keyboard(provider, page):
    """Each arrow can be focused and opened without a mouse."""
    client = ManualClient(provider)
    client.log_in()
    client.session.close()
    page.goto(f"{provider.url}/_trace")
    _tab_to(page, "browser to provider:")
    page.keyboard.press("Enter")

    assert page.locator(".sequence > li > details[open]").count() == 1
