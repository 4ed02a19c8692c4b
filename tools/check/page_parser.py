"""A parser that collects the links, forms, words and elements of an HTML page, from the standard library alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

SILENT = ("script", "style", "template", "noscript")  # elements whose text no browser shows
TYPED_FIELDS = ("text", "email", "password", "tel", "search", "url", "number")  # types of inputs that a user fills in
BREAK = "\x1f"  # between two texts of a page, in `PageParser.joined`


@dataclass
class Button:
    """A button that sends a form: its words, and what it adds to the form.

    `labels` are all words of it, also those that only a screen reader has.
    """

    words: str
    labels: tuple[str, ...] = ()
    name: str = ""
    value: str = ""
    action: str | None = None  # replaces the form's
    method: str | None = None


@dataclass
class _Words:
    """The words of a link or button, from its text, its pictures and its attributes."""

    attributes: dict[str, str]
    text: str = ""
    described: list[str] = field(default_factory=list)  # alt texts

    @property
    def labels(self) -> tuple[str, ...]:
        """The text, and the words that only a screen reader has; without any, an empty text."""
        found = [self.text, self.attributes.get("aria-label", ""), *self.described, self.attributes.get("title", "")]
        return tuple(" ".join(words.split()) for words in found if words.strip()) or ("",)


class PageParser(HTMLParser):
    """Collects the links, forms, words and elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, tuple[str, ...]]] = []  # tag and names of the attributes
        self.urls: list[str] = []  # in links, pictures and forms
        self.links: list[tuple[str, str]] = []  # words and URL
        self.labels: list[tuple[str, ...]] = []  # of each link
        self.forms: list[dict[str, Any]] = []  # action, method, fields, typed (names), buttons (words), controls
        self._link: _Words | None = None
        self._button: _Words | None = None
        self._form: dict[str, Any] | None = None
        self._silent = 0

    @property
    def joined(self) -> str:
        """The visible text; between two texts of different elements stands BREAK."""
        return BREAK + BREAK.join(" ".join(text.split()) for text in self.words if text.strip()) + BREAK

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self.elements.append((tag, tuple(sorted(found))))
        self.urls += [found[name] for name in ("href", "src", "action", "formaction") if name in found]
        if tag == "a" and "href" in found:
            self._close_link()
            self._link = _Words(found)
        elif tag == "form":
            self._form = {**found, "fields": {}, "typed": [], "buttons": [], "controls": []}
            self.forms.append(self._form)
        elif tag == "button":
            self._button = _Words(found) if found.get("type", "submit").lower() == "submit" else None
        elif tag == "input":
            self._add_input(found)
        elif tag in SILENT:
            self._silent += 1
        if words := found.get("alt" if tag == "img" else "aria-label", ""):
            for open_element in (self._link, self._button):
                if open_element is not None and tag not in ("a", "button"):
                    open_element.described.append(words)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)  # a slash has no meaning in HTML: <script/> stays open
        if tag not in SILENT and tag not in ("a", "button", "form"):
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._close_link()
        elif tag == "button" and self._button is not None:
            self._add_button(self._button.labels, self._button.attributes)
            self._button = None
        elif tag == "form":
            self._form = None
        elif tag in SILENT:
            self._silent = max(0, self._silent - 1)

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        self.words.append(data)
        for open_element in (self._link, self._button):
            if open_element is not None:
                open_element.text += data

    def close(self) -> None:
        """Close what the page has left open."""
        super().close()
        self._close_link()

    def _close_link(self) -> None:
        if self._link is not None:
            self.links.append((self._link.labels[0], self._link.attributes["href"].strip()))
            self.labels.append(self._link.labels)
            self._link = None

    def _add_input(self, found: dict[str, str]) -> None:
        kind = found.get("type", "text").lower()
        if kind in ("submit", "image"):
            labels = _Words(found, found.get("value", ""), [found.get("alt", "")]).labels
            self._add_button(labels, found)
            return
        form = self._form_of(found)
        if form is None or kind in ("button", "reset") or "name" not in found:
            return
        if kind in ("checkbox", "radio") and "checked" not in found:
            return
        form["fields"][found["name"]] = found.get("value", "on" if kind in ("checkbox", "radio") else "")
        if kind in TYPED_FIELDS:
            form["typed"].append(found["name"])

    def _add_button(self, labels: tuple[str, ...], found: dict[str, str]) -> None:
        form = self._form_of(found)
        if form is None:
            return
        form["buttons"].append(labels[0])
        name, value = found.get("name", ""), found.get("value", "")
        button = Button(labels[0], labels, name, value, found.get("formaction"), found.get("formmethod"))
        form["controls"].append(button)

    def _form_of(self, found: dict[str, str]) -> dict[str, Any] | None:
        """Return the form that an element belongs to: the one that its attribute `form` names, or the open one."""
        if "form" in found:
            return next((form for form in self.forms if form.get("id") == found["form"]), None)
        return self._form


def parse(source: str) -> PageParser:
    """Return the parsed page."""
    parser = PageParser()
    parser.feed(source)
    parser.close()
    return parser
