"""The way of a learner in a real browser: provider and app are two sites there, as in life."""

import re
import time

import pytest
from playwright.sync_api import expect, sync_playwright
from support.gallery import running_gallery
from support.manual_client import ManualClient

from tools.check.apps import wait_for


@pytest.fixture(scope="module")
def chrome(chromium):
    """A real Chromium. Not for the whole session: Playwright runs once at a time, and other tests want it too."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chrome):
    """A page of a browser that has not been anywhere; an error on it fails the test."""
    context = chrome.new_context()
    context.set_default_timeout(10_000)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors


def at_the_provider(page, app, person):
    """Click through the provider's pages as this person, and allow."""
    page.goto(app.url)
    page.get_by_role("link", name=app.login_words).click()
    page.get_by_role("button", name=person).click()
    page.get_by_role("button", name="Allow").click()


def test_logs_in_and_out_by_clicks(app, page):
    """Link, person, Allow, and the app knows who it is; the button, and it does not."""
    at_the_provider(page, app, "Ada Lovelace")
    page.goto(app.url)
    greeting = page.get_by_text("Logged in as Ada Lovelace").is_visible()
    page.get_by_role("button", name="Log out").click()
    page.goto(app.url)

    assert greeting
    assert page.get_by_role("link", name=app.login_words).is_visible()


def test_the_back_button_leads_home(app, page):
    """Back leads to the provider, which sends the browser to the callback once more: the user is still logged in."""
    at_the_provider(page, app, "Ada Lovelace")
    page.wait_for_load_state()
    opened = []
    page.on("request", lambda request: opened.append(request.url) if request.is_navigation_request() else None)
    page.go_back()

    assert opened[1].startswith(f"{app.url}/") and "code=" in opened[1]
    assert page.url.partition("#")[0] == f"{app.url}/"  # Facebook adds #_=_
    assert page.get_by_text("Logged in as Ada Lovelace").is_visible()


def test_deny_is_a_page_by_clicks(app, page):
    """Deny leads to a page that says so."""
    page.goto(app.url)
    page.get_by_role("link", name=app.login_words).click()
    page.get_by_role("button", name="Ada Lovelace").click()
    page.get_by_role("button", name="Deny").click()

    expect(page).to_have_title("Login failed")
    assert page.get_by_role("link", name="Try again").is_visible()


def test_runs_no_script_from_a_name(app, page):
    """A name full of markup is shown, and does nothing."""
    at_the_provider(page, app, "Bobby")
    page.goto(app.url)

    assert page.get_by_text("Logged in as Bobby <script>").is_visible()
    assert page.title() != "broken"


def test_another_site_cannot_log_out(app, page, provider):
    """A form on the provider's site that posts to the app's log out leaves the person logged in."""
    at_the_provider(page, app, "Ada Lovelace")
    page.goto(provider.url)
    page.evaluate(
        """address => { const form = document.createElement("form"); form.method = "post"; form.action = address;
           document.body.append(form); form.submit() }""",
        f"{app.url}/logout",
    )
    page.wait_for_url(f"{app.url}/**")
    page.goto(app.url)

    assert page.get_by_text("Logged in as Ada Lovelace").is_visible()
    page.get_by_role("button", name="Log out").click()
    page.goto(app.url)
    assert page.get_by_role("link", name=app.login_words).is_visible()


def test_nothing_comes_from_elsewhere(app, page, provider):
    """Every request of a login goes to the app or to the provider: it works without internet."""
    addresses = []
    page.on("request", lambda request: addresses.append(request.url))
    at_the_provider(page, app, "Ada Lovelace")
    page.goto(app.url)

    assert len(addresses) > 5
    assert [address for address in addresses if not address.startswith((app.url, provider.url, "data:"))] == []


def test_every_page_of_the_login_has_its_basics(app, page, provider):
    """Each page has a language, a title and one heading of the first rank, and fits a narrow window."""
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(app.url)
    seen = [_basics(page)]
    page.get_by_role("link", name=app.login_words).click()
    seen.append(_basics(page))
    page.get_by_role("button", name="Ada Lovelace").click()
    seen.append(_basics(page))
    page.get_by_role("button", name="Deny").click()
    seen.append(_basics(page))

    assert seen == [{"lang": "en", "headings": 1, "titled": True, "fits": True}] * 4


def _basics(page):
    page.wait_for_load_state()  # a click waits until the next page begins, and no longer
    return page.evaluate(
        """() => ({lang: document.documentElement.lang, headings: document.querySelectorAll("h1").length,
                   titled: document.title !== "",
                   fits: document.documentElement.scrollWidth <= document.documentElement.clientWidth})"""
    )


def test_can_be_done_by_keyboard_alone(app, page):
    """Tab and Enter are enough for a whole login."""
    page.goto(app.url)
    _tab_to(page, app.login_words)
    page.keyboard.press("Enter")
    page.wait_for_url("**/127.0.0.1:*/**")
    _tab_to(page, "Ada Lovelace")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Allow").wait_for()
    _tab_to(page, "Allow")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{app.url}/**")
    page.goto(app.url)

    assert page.get_by_text("Logged in as Ada Lovelace").is_visible()


def _tab_to(page, words):
    def focused():
        page.keyboard.press("Tab")
        return page.evaluate("document.activeElement.innerText || ''").strip().startswith(words.strip())

    wait_for(focused, f"the focus to reach {words}", 10)


# Cookies, as a browser keeps them


def session_cookie(page, app):
    """Return the app's own cookie, of which there is one."""
    page.goto(app.url)
    page.get_by_role("link", name=app.login_words).click()
    page.wait_for_load_state()
    (cookie,) = [cookie for cookie in page.context.cookies(app.url) if cookie["name"] != "fake_provider"]
    return cookie


def test_the_cookie_is_kept_from_scripts_and_other_sites(app, page):
    """The browser has it as HttpOnly and SameSite=Lax, for this host alone, and no script of the page reads it."""
    cookie = session_cookie(page, app)
    page.goto(app.url)

    assert (cookie["httpOnly"], cookie["sameSite"], cookie["domain"]) == (True, "Lax", "localhost")
    assert cookie["name"] not in page.evaluate("document.cookie")


def test_the_cookie_is_secure_where_the_address_is(app, make_app, page):
    """With an https URL the cookie is for https alone; the practice address over http is the control."""
    public = make_app(app.folder, URL="https://localhost", SECRET_KEY="long, random and secret")
    public.provider_name = app.provider_name
    over_http = session_cookie(page, app)
    page.context.clear_cookies()

    assert not over_http["secure"]
    assert session_cookie(page, public)["secure"]


# The way of a learner


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """The gallery, in which step 3 runs."""
    with running_gallery(tmp_path_factory.mktemp("gallery"), "step3_login") as gallery:
        yield gallery


def test_the_whole_way_of_a_learner(gallery, page, chrome):
    """Gallery, step 3, Ada, allow, back, the trace opened, log out, deny, break it: by clicks alone."""
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


def test_reads_its_way_up_the_ladder(gallery, page):
    """From the first lesson the links lead to each next one."""
    page.goto(gallery.provider.url)
    page.get_by_role("link", name="Lesson of step1_bootstrap").click()
    for folder in ("step2_credentials", "step3_login"):
        page.get_by_role("navigation", name="Other steps").get_by_role("link", name=folder).click()
    page.get_by_role("navigation", name="This step").get_by_role("link", name="Source").click()
    page.wait_for_load_state()

    assert page.get_by_role("heading", level=1).inner_text() == "Source of step3_login"
    assert page.locator("ins.line").count() > 20


# The trace, live


def test_a_login_is_drawn_while_it_happens(provider, page, chrome):
    """An open page shows each message within half a second, and leaves open what somebody has opened."""
    page.goto(f"{provider.url}/_trace")
    page.get_by_text("Live").wait_for()
    dancer = ManualClient(provider)
    code = dancer.ask()["code"]
    page.locator("summary", has_text="authorization request").first.click()
    opened = page.locator(".sequence > li > details[open]")
    key = opened.get_attribute("id")
    begun = time.monotonic()
    dancer.exchange(code)
    page.locator("summary", has_text="token reply").wait_for()
    took = time.monotonic() - begun
    dancer.session.close()

    assert took < 0.5
    assert opened.get_attribute("id") == key
    assert page.evaluate("document.activeElement.parentElement.id") == key


def test_works_without_javascript(provider, chrome):
    """Without scripts the page is complete, and says to load it again."""
    dancer = ManualClient(provider)
    dancer.log_in()
    dancer.session.close()
    context = chrome.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{provider.url}/_trace")
    page.locator("summary", has_text="token request").click()
    says = page.get_by_role("status").inner_text()
    visible = page.get_by_text("Proves that the app itself is asking").is_visible()
    context.close()

    assert visible and "Load this page again" in says


def test_an_arrow_opens_by_keyboard(provider, page):
    """Each arrow can be reached and opened without a mouse."""
    dancer = ManualClient(provider)
    dancer.log_in()
    dancer.session.close()
    page.goto(f"{provider.url}/_trace")
    _tab_to(page, "browser to provider:")
    page.keyboard.press("Enter")

    assert page.locator(".sequence > li > details[open]").count() == 1
