"""A browser for tests: it keeps cookies, and clicks links and buttons by their words, as a user does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from mechanicalsoup import Browser, Form

from .apps import App, parameters
from .browser import without_query
from .http_client import HttpClient, Response

MAX_REDIRECTS = 20
ELSEWHERE = "elsewhere"
TIMEOUT = 25  # seconds; longer than the apps' own timeouts


class Visitor:
    """A browser that begins at one app."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.http = HttpClient(TIMEOUT)
        self.response: Response | None = None

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    @property
    def page(self):
        """The open page, as BeautifulSoup."""
        return self.http.last.page

    @property
    def title(self) -> str:
        """The title of the open page."""
        return self.page.title.get_text(strip=True)

    @property
    def text(self) -> str:
        """The text of the open page, with all white space as single spaces."""
        return " ".join(self.page.get_text(" ").split())

    @property
    def url(self) -> str:
        """The URL of the open page."""
        return self.http.last.url

    @property
    def status(self) -> int:
        """The status of the open page."""
        return self.response.status_code

    @property
    def cookies(self):
        """The cookies, in the cookie jar of requests."""
        return self.http.cookies

    def visit(self, url: str = "/", *, stop_before: str | None = None) -> str:
        """Open a URL, or a path of the app, follow redirects, and return the URL of the last page.

        With `stop_before`, a redirect to a URL that begins with it is returned and not followed. With `ELSEWHERE`, this
        is the first redirect that leaves the app.
        """
        return self._follow(self.http.get(urljoin(self.app.url, url)), stop_before)

    def click(self, words: str, *, stop_before: str | None = None) -> str:
        """Click the first link or button that begins with these words, and return the URL that it leads to."""
        for link in self.page.find_all("a", href=True):
            if _begins_with(link, words):
                return self.visit(urljoin(self.url, link["href"]), stop_before=stop_before)
        for form in self.page.find_all("form"):
            for button in form.find_all(_is_submit):
                if _begins_with(button, words):
                    return self._press(form, button, stop_before)
        raise AssertionError(f"no link or button {words!r} on {without_query(self.url)}: {self.text}")

    def can_click(self, words: str) -> bool:
        """Tell whether the page has a link or button that begins with these words."""
        elements = [*self.page.find_all("a", href=True), *self.page.find_all("button")]
        return any(_begins_with(element, words) for element in elements)

    def can_log_out(self) -> bool:
        """Tell whether the page has a button "Log out"."""
        return self.can_click("Log out")

    def log_out(self, headers: dict[str, str] | None = None) -> str:
        """Click "Log out", with further headers; a redirect that leaves the app is not followed."""
        with self._further_headers(headers):
            return self.click("Log out", stop_before=ELSEWHERE)

    def request(self, url: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> int:
        """Send one request, as a program in the browser may do, and return the status. No page is opened."""
        with self._further_headers(headers):
            return self.http.request(method, url).status_code

    def login_url(self) -> str:
        """Open the home page, and return the URL of the login link."""
        self.visit("/")
        links = self.page.find_all("a", href=True)
        return urljoin(self.url, next(link["href"] for link in links if _begins_with(link, self.app.login_words)))

    def log_out_url(self) -> str:
        """Return the URL that the button "Log out" leads to; empty when there is none."""
        forms = [form for form in self.page.find_all("form") if form.find(_is_log_out)]
        return urljoin(self.url, forms[0].get("action", "")) if forms else ""

    def fill_in(self, **fields: str) -> None:
        """Fill in fields of the page's first form."""
        form = Form(self.page.find("form"))
        for name, value in fields.items():
            form[name] = value

    def log_in_as(self, person: str, *, stop_before: str | None = None) -> str:
        """Log in from the app's home page by clicks: the login link, the person, and Allow where the provider asks."""
        self.visit("/")
        return self.arrive_at_provider_as(person, stop_before=stop_before, first=self.app.login_words)

    def arrive_at_provider_as(self, person: str, *, first: str, stop_before: str | None = None) -> str:
        """Click the link or button `first`, then sign in as this person at the provider and allow."""
        url = self.click(first, stop_before=stop_before)
        for words in (person, "Allow"):
            if not self._stopped and self.can_click(words):
                url = self.click(words, stop_before=stop_before)
        return url

    def ask_as(self, person: str) -> str:
        """Log in up to the provider's redirect, and return its URL, the authorization response, without opening it."""
        return self.log_in_as(person, stop_before=f"{self.app.url}/")

    def authorization_request(self) -> dict[str, str]:
        """Return the parameters of the app's authorization request."""
        self.visit("/")
        self.click(self.app.login_words, stop_before=ELSEWHERE)
        return parameters(self._stopped)

    def is_logged_in_as(self, name: str) -> bool:
        """Tell whether the home page says that this person is logged in."""
        self.visit("/")
        return f"Logged in as {name}" in self.text

    def is_anonymous(self) -> bool:
        """Tell whether the home page offers a login and names no user."""
        self.visit("/")
        return self.can_click("Log in with") and "Logged in" not in self.text

    @contextmanager
    def _further_headers(self, headers: dict[str, str] | None) -> Iterator[None]:
        usual = self.http.headers
        self.http.headers = {**usual, **(headers or {})}
        try:
            yield
        finally:
            self.http.headers = usual

    def _press(self, form, button, stop_before: str | None) -> str:
        Form(form).choose_submit(button)
        request = Browser.get_request_kwargs(form, self.url)
        fields = request.get("data") or request.get("params") or []
        return self._follow(self.http.submit(request["method"], request["url"], fields), stop_before)

    def _follow(self, response: Response, stop_before: str | None) -> str:
        self._stopped = ""
        redirects = 0
        while response.is_redirect:
            redirects += 1
            assert redirects <= MAX_REDIRECTS, (
                f"more than {MAX_REDIRECTS} redirects, the last to {response.headers['Location']}"
            )
            url = urljoin(response.url, response.headers["Location"])
            # A redirect from one page of the app to another is not the authorization response.
            within = self._is_of_app(response.url) and self._is_of_app(url)
            if stop_before is not None and not within and self._is_stop(url, stop_before):
                self._stopped = url
                return url
            response = self.http.get(url)
        self.response = response
        return response.url

    def _is_of_app(self, url: str) -> bool:
        return url.startswith(f"{self.app.url}/")

    def _is_stop(self, url: str, stop_before: str) -> bool:
        return not self._is_of_app(url) if stop_before == ELSEWHERE else url.startswith(stop_before)

    _stopped = ""
    dropped = ()  # names of cookies that were too large: this browser keeps all
    reads_userinfo = True  # whether a profile decides who is logged in
    session_cookie_names = None  # not known: all of the app's cookies may be the session


def with_parameters(url: str, **changes: str | None) -> str:
    """Return the URL with these query parameters changed, or removed where the value is None."""
    changed = {**parameters(url), **changes}
    query = urlencode({name: value for name, value in changed.items() if value is not None})
    return urlunsplit(urlsplit(url)._replace(query=query))


def _is_submit(element) -> bool:
    return element.name == "button" or (element.name == "input" and element.get("type") == "submit")


def _is_log_out(element) -> bool:
    return _is_submit(element) and _begins_with(element, "Log out")


def _begins_with(element, words: str) -> bool:
    return " ".join(element.get_text(" ").split()).startswith(words.strip())
