"""Step 1 promises one page with one link, and a page that says what comes."""

import pytest

from tools.check.visitor import Visitor


@pytest.fixture
def browser(start_app):
    """A visitor of step 1."""
    visitor = Visitor(start_app("step1_bootstrap"))
    yield visitor
    visitor.close()


def test_has_one_link(browser):
    """The home page has one link, Log in, and no form."""
    browser.visit("/")

    assert [link.get_text() for link in browser.page.select("a")] == ["Log in"]
    assert not browser.page.select("form")


def test_says_what_comes(browser):
    """The link leads to a page that says which step brings it to life."""
    browser.visit("/")
    browser.click("Log in")

    assert "Step 3 brings this page to life" in browser.text
    browser.click("Home")
    assert browser.can_click("Log in")
