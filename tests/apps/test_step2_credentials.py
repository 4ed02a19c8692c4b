"""Step 2: a page that shows which settings there are and where they come from, and never a secret."""

import pytest

from tools.check.apps import prepare
from tools.check.visitor import Visitor

SECRET = "a-secret-of-the-reader"


@pytest.fixture
def start_step2(provider, tmp_path):
    """A function that starts step 2, with or without an .env, and returns a visitor at its home page."""
    started = []

    def start(env=None, **settings):
        app = prepare("step2_credentials", provider, tmp_path / str(len(started)), **settings)
        if env is not None:
            for name in ("AUTHORIZATION_BASE_URL", "TOKEN_URL", "USERINFO_URL"):
                app.environment.pop(name)
            (app.home / ".env").write_text(env, "utf-8")
        app.start()
        visitor = Visitor(app)
        started.append((app, visitor))
        visitor.visit("/")
        return visitor

    yield start
    for app, visitor in started:
        visitor.close()
        app.stop()


def shown_settings(browser):
    """Return the settings that the page lists."""
    return dict(item.get_text().split(": ", 1) for item in browser.page.select("li"))


def test_shows_which_settings_are_missing(start_step2):
    """With .env.example unchanged, URLs are set and id and secret are missing; the app starts anyway."""
    settings = shown_settings(start_step2())

    assert settings["CLIENT_ID"] == settings["CLIENT_SECRET"] == "missing"
    assert settings["AUTHORIZATION_BASE_URL"].endswith("/simplelogin/oauth2/authorize")


def test_never_shows_the_secret(start_step2):
    """The id is shown; of the secret the page says only that it is set."""
    browser = start_step2(CLIENT_ID="my-id", CLIENT_SECRET=SECRET)

    assert shown_settings(browser)["CLIENT_ID"] == "my-id"
    assert shown_settings(browser)["CLIENT_SECRET"] == "set"
    assert SECRET not in str(browser.page)
    assert SECRET not in browser.app.log


def test_reads_either_env_or_the_example(start_step2):
    """With an .env, nothing is read from .env.example, so practice and real values cannot mix."""
    settings = shown_settings(start_step2(env="CLIENT_ID=mine\n"))

    assert settings["CLIENT_ID"] == "mine"
    assert settings["AUTHORIZATION_BASE_URL"] == "missing"


def test_links_to_the_console_for_credentials(start_step2, provider):
    """A link leads to the developer console, where the registration of an app gives an id and a secret."""
    browser = start_step2()
    browser.click("developer console")
    browser.fill_in(name="My app", redirect_uris="http://localhost:5000/callback")
    browser.click("Register")
    client_id, client_secret = [field["value"] for field in browser.page.select("input[readonly]")]

    settings = shown_settings(start_step2(CLIENT_ID=client_id, CLIENT_SECRET=client_secret))
    assert settings["CLIENT_ID"] == client_id
    assert settings["CLIENT_SECRET"] == "set"


def test_names_the_step_that_completes_the_login(start_step2):
    """The link leads to a page that names the step in which it works."""
    browser = start_step2()
    browser.click("Log in")

    assert "Step 3 brings this page to life" in browser.text
