"""Every page of an app that a user can open with a click."""

from urllib.parse import urljoin

from tools.check.visitor import ELSEWHERE

UNUSUAL = ("/nothing", "/logout")  # a page with status 404, and one with 405


def open_every_page(visitor, *more):
    """Open the home page, pages of errors, the URLs `more`, and all that they link to; yield the URL of each page.

    Links that lead out of the app, as that of a login does in the end, are left out.
    """
    own, seen = f"{visitor.app.url}/", set()
    to_open = [own, *(urljoin(own, url) for url in (*UNUSUAL, *more))]
    while to_open:
        url = to_open.pop(0)
        if url in seen or not url.startswith(own):
            continue
        seen.add(url)
        if visitor.visit(url, stop_before=ELSEWHERE).startswith(own):
            yield url
            to_open += [urljoin(url, link["href"]) for link in visitor.page.find_all("a", href=True)]


def refused_callback(visitor):
    """Return the URL of an authorization response with a wrong state."""
    return f"{visitor.authorization_request()['redirect_uri']}?code=c&state=wrong"
