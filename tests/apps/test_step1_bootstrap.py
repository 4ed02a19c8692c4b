"""Step 1: a home page with one link, and a page that names the step in which the link works."""

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


def test_names_the_step_that_completes_it(browser):
    """The link leads to a page that names the step in which it works."""
    browser.visit("/")
    browser.click("Log in")

    assert "Step 3 brings this page to life" in browser.text
    browser.click("Home")
    assert browser.can_click("Log in")
