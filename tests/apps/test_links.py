"""Links, style sheets, pictures and forms of every app: what each of their URLs leads to is there."""

from urllib.parse import urljoin

import pytest
from support.every_page import open_every_page, refused_callback

from tools.apps import app_folders
from tools.check.apps import login_folders
from tools.check.visitor import Visitor


def missing_in(page, url, browser, provider, known):
    """Return the URLs on this page that lead to an error; those of other sites are left out."""
    missing = []
    for name in ("href", "src", "action"):
        for element in page.select(f"[{name}]"):
            target = urljoin(url, element[name]).partition("#")[0]
            if not target.startswith((browser.app.url, provider.url)):
                continue
            if target not in known:
                known[target] = browser.request(target)
            if known[target] >= 400 and not (name == "action" and known[target] == 405):  # a form is sent by POST
                missing.append(f'{name}="{element[name]}" on {url} leads to status {known[target]}')
    return missing


def all_missing(browser, provider, *more):
    """Return the URLs that lead to an error, of all pages that the browser can open now."""
    known = {}
    return [
        line
        for url in open_every_page(browser, *more)
        for line in missing_in(browser.page, url, browser, provider, known)
    ]


def test_every_url_on_a_page_leads_somewhere(app, browser, provider):
    """Before a login, after one that failed, and after one that succeeded, no link, style sheet or picture is lost."""
    missing = all_missing(browser, provider, refused_callback(browser))
    browser.log_in_as("Ada Lovelace")
    missing += all_missing(browser, provider, browser.url)

    assert not missing, "\n".join(dict.fromkeys(missing))


@pytest.mark.parametrize("folder", [folder for folder in app_folders() if folder not in login_folders()])
def test_every_url_of_the_first_steps_leads_somewhere(start_app, provider, folder):
    """Steps 1 and 2 have pages with links, too."""
    browser = Visitor(start_app(folder))
    missing = all_missing(browser, provider)
    browser.close()

    assert not missing, "\n".join(missing)
