"""Linking in Chromium: the button works under the app's headers, and another page cannot press it."""

from contextlib import contextmanager
from threading import Thread

import pytest
from support.flask_dance_logins import ONE_DATABASE, logins
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

pytestmark = ONE_DATABASE


@pytest.fixture
def page(chrome):
    """A page of a real Chromium."""
    page = chrome.new_page()
    page.set_default_timeout(10_000)
    yield page
    page.close()


@contextmanager
def page_on_another_port(target):
    """Serve a page on localhost whose form posts to `target`, and yield its URL: same-site, and not same-origin."""

    @Request.application
    def form(request):
        return Response(f'<form method="post" action="{target}"><button>Win</button></form>', mimetype="text/html")

    server = make_server("127.0.0.1", 0, form, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def log_in(page, app, words):
    """Log in as Ada Lovelace by clicks, beginning with the link or button of these words."""
    page.goto(app.url)
    page.get_by_role("link" if words.startswith("Log in") else "button", name=words).click()
    page.get_by_role("button", name="Ada Lovelace").click()
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{app.url}/")


def test_the_button_link_works_in_chromium(shared_app, page):
    """The form posts to the app and ends at the provider: a form-action in the CSP would block that redirect."""
    log_in(page, shared_app, "Log in with GitHub")
    log_in(page, shared_app, "Link X")

    assert page.get_by_role("button", name="Unlink X").is_visible()
    assert len(logins(shared_app)) == 2


@pytest.mark.parametrize("path", ["/link/twitter", "/logout"])
def test_a_page_on_another_port_presses_no_button(shared_app, page, path):
    """CSRF: SameSite=Lax lets the cookie go along from another port of localhost, and the app refuses the form."""
    log_in(page, shared_app, "Log in with GitHub")
    with page_on_another_port(shared_app.url + path) as url:
        page.goto(url)
        page.get_by_role("button", name="Win").click()
        page.wait_for_url(f"{shared_app.url}{path}")
        text = page.inner_text("body")
    page.goto(shared_app.url)

    assert "This form was sent by another site." in text
    assert page.get_by_text("Logged in as Ada Lovelace").is_visible()
    assert len(logins(shared_app)) == 1
