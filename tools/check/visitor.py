"""A visitor with cookies, who finds links and buttons by their words, as people do."""

from __future__ import annotations

from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from mechanicalsoup import Browser, Form

from .apps import App, parameters
from .http_client import HttpClient, Response

MAX_REDIRECTS = 20
ELSEWHERE = "elsewhere"
TIMEOUT = 25  # seconds; longer than any app may take


class Visitor:
    """A browser for the tests of one app."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.http = HttpClient(TIMEOUT)
        self.response: Response | None = None

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    @property
    def page(self):
        """The page that is open, as BeautifulSoup has it."""
        return self.http.last.page

    @property
    def title(self) -> str:
        """The title of the page that is open."""
        return self.page.title.get_text(strip=True)

    @property
    def text(self) -> str:
        """What the page says, with all white space as single spaces."""
        return " ".join(self.page.get_text(" ").split())

    @property
    def url(self) -> str:
        """The address of the page that is open."""
        return self.http.last.url

    @property
    def status(self) -> int:
        """The status of the page that is open."""
        return self.response.status_code

    @property
    def cookies(self):
        """The visitor's cookies, as requests keeps them."""
        return self.http.cookies

    def visit(self, address: str = "/", *, stop_before: str | None = None) -> str:
        """Open an address (a path is the app's) and follow redirects; return where they led.

        With `stop_before`, a redirect to a URL that begins like this is not followed but returned. With `ELSEWHERE`
        there, it is the first redirect that leaves the app.
        """
        return self._follow(self.http.get(urljoin(self.app.url, address)), stop_before)

    def click(self, words: str, *, stop_before: str | None = None) -> str:
        """Click the link or button with these words, or beginning with them."""
        for link in self.page.find_all("a", href=True):
            if _reads(link, words):
                return self.visit(urljoin(self.url, link["href"]), stop_before=stop_before)
        for form in self.page.find_all("form"):
            for button in form.find_all(_is_submit):
                if _reads(button, words):
                    return self._press(form, button, stop_before)
        raise AssertionError(f"no link or button {words!r} on {self.url}: {self.text}")

    def can_click(self, words: str) -> bool:
        """Tell whether there is a link or button with these words."""
        elements = [*self.page.find_all("a", href=True), *self.page.find_all("button")]
        return any(_reads(element, words) for element in elements)

    def fill_in(self, **fields: str) -> None:
        """Write into the fields of the page's first form."""
        form = Form(self.page.find("form"))
        for name, value in fields.items():
            form[name] = value

    def log_in_as(self, person: str, *, stop_before: str | None = None) -> str:
        """Go the whole way from the app's home page, by clicks: link, person, Allow where it is asked."""
        self.visit("/")
        return self.arrive_at_provider_as(person, stop_before=stop_before, first=self.app.login_words)

    def arrive_at_provider_as(self, person: str, *, first: str, stop_before: str | None = None) -> str:
        """Click what leads to the provider, then be this person there and allow what is asked."""
        address = self.click(first, stop_before=stop_before)
        for words in (person, "Allow"):
            if not self._stopped and self.can_click(words):
                address = self.click(words, stop_before=stop_before)
        return address

    def ask_as(self, person: str) -> str:
        """Log in up to the provider's answer, and return its address without opening it."""
        return self.log_in_as(person, stop_before=f"{self.app.url}/")

    def authorization_request(self) -> dict[str, str]:
        """Return the parameters with which the app sends a visitor to the provider."""
        self.visit("/")
        self.click(self.app.login_words, stop_before=ELSEWHERE)
        return parameters(self._stopped)

    def is_logged_in_as(self, name: str) -> bool:
        """Tell whether the home page greets this person."""
        self.visit("/")
        return f"Logged in as {name}" in self.text

    def is_anonymous(self) -> bool:
        """Tell whether the home page offers a login and names nobody."""
        self.visit("/")
        return self.can_click("Log in with") and "Logged in" not in self.text

    def _press(self, form, button, stop_before: str | None) -> str:
        Form(form).choose_submit(button)
        request = Browser.get_request_kwargs(form, self.url)
        fields = request.get("data") or request.get("params") or []
        return self._follow(self.http.submit(request["method"], request["url"], fields), stop_before)

    def _follow(self, response: Response, stop_before: str | None) -> str:
        self._stopped = ""
        hops = 0
        while response.is_redirect:
            hops += 1
            assert hops <= MAX_REDIRECTS, (
                f"more than {MAX_REDIRECTS} redirects, the last to {response.headers['Location']}"
            )
            address = urljoin(response.url, response.headers["Location"])
            # A redirect from one page of the app to the next is not yet the authorization response.
            within = self._is_the_app(response.url) and self._is_the_app(address)
            if stop_before is not None and not within and self._begins(address, stop_before):
                self._stopped = address
                return address
            response = self.http.get(address)
        self.response = response
        return response.url

    def _is_the_app(self, url: str) -> bool:
        return url.startswith(f"{self.app.url}/")

    def _begins(self, url: str, stop_before: str) -> bool:
        return not self._is_the_app(url) if stop_before == ELSEWHERE else url.startswith(stop_before)

    _stopped = ""


def with_parameters(address: str, **changes: str | None) -> str:
    """Return the address with these parameters changed, or taken out where the value is None."""
    changed = {**parameters(address), **changes}
    query = urlencode({name: value for name, value in changed.items() if value is not None})
    return urlunsplit(urlsplit(address)._replace(query=query))


def _is_submit(element) -> bool:
    return element.name == "button" or (element.name == "input" and element.get("type") == "submit")


def _reads(element, words: str) -> bool:
    return " ".join(element.get_text(" ").split()).startswith(words.strip())
