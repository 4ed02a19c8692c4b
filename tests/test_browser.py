"""The way of a learner in a real browser: provider and app are two sites there, as in life."""

import pytest
from playwright.sync_api import sync_playwright
from support.apps import wait_for


@pytest.fixture(scope="session")
def chrome(chromium):
    """A real Chromium, started once."""
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


def test_deny_is_a_page_by_clicks(app, page):
    """Deny leads to a page that says so."""
    page.goto(app.url)
    page.get_by_role("link", name=app.login_words).click()
    page.get_by_role("button", name="Ada Lovelace").click()
    page.get_by_role("button", name="Deny").click()

    assert page.title() == "Login failed"
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
