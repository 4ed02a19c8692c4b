"""Several tabs of one browser, each with a login in progress, at the apps that guard a page."""

from concurrent.futures import ThreadPoolExecutor

import requests

GUARDED = {"raw_requests/session_guard": "/private", "okta_oidc": "/dashboard"}  # the guarded page of each app


def open_tabs(app, number, at_once):
    """Open this many tabs of the guarded page in one browser, and return its cookies and the authorization URLs."""
    with requests.Session() as browser:
        if at_once:  # no tab has the cookies of another
            with ThreadPoolExecutor(number) as threads:
                pages = list(threads.map(lambda tab: open_tab(app, tab, {}), range(number)))
            for page in pages:
                browser.cookies.update(page.cookies)
        else:
            pages = [open_tab(app, tab, browser) for tab in range(number)]
        return browser.cookies.copy(), [page.headers["Location"] for page in pages]


def open_tab(app, tab, browser):
    """Open the guarded page with the number of the tab, in this browser or without cookies."""
    client = browser or requests
    return client.get(f"{app.url}{GUARDED[app.folder]}?tab={tab}", allow_redirects=False, timeout=5)


def allow(url, person="ada"):
    """Allow as this person at the provider, and return the callback URL."""
    with requests.Session() as at_provider:
        at_provider.post(url, {"person": person}, timeout=5)
        return at_provider.post(url, {"decision": "allow"}, timeout=5, allow_redirects=False).headers["Location"]
