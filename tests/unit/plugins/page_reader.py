"""Read a page as a person's tools would: elements, what they are called, where links lead."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_EMPTY = {"meta", "br"}


@dataclass
class Element:
    """An element with its attributes, the text in it, and the elements around it."""

    name: str
    attributes: dict[str, str | None]
    around: tuple[str, ...]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """A page that was read whole; an end that fits no beginning is an error."""

    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        around = tuple(element.name for element in self._open)
        element = Element(tag, dict(attrs), around)
        assert len(element.attributes) == len(attrs), f"an attribute of {tag} comes twice"
        self.elements.append(element)
        if tag not in _EMPTY:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element that has nothing in it."""
        around = tuple(element.name for element in self._open)
        self.elements.append(Element(tag, dict(attrs), around))

    def handle_endtag(self, tag: str) -> None:
        """Close the element that was opened last."""
        assert self._open.pop().name == tag

    def handle_data(self, data: str) -> None:
        """Add text to all that is open."""
        for element in self._open:
            element.text += data

    def all(self, name: str) -> list[Element]:
        """Return the elements of a name, in order."""
        return [element for element in self.elements if element.name == name]


def read(text: str) -> Page:
    """Return the page; every element must end where it should."""
    page = Page()
    page.feed(text)
    page.close()
    assert page._open == []
    return page
