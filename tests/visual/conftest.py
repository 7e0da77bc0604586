"""What tests of drawing share."""

from html.parser import HTMLParser

import pytest

_VOID_ELEMENTS = {"meta", "img", "br", "hr", "link", "input"}


class PageReader(HTMLParser):
    """Reads a page and checks on the way that every element is closed by its own tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data.replace("\N{NO-BREAK SPACE}", " ")

    def values(self, tag: str, attribute: str) -> list[str]:
        """An attribute of all elements of a kind, "" where they have none."""
        return [attributes.get(attribute) or "" for name, attributes in self.elements if name == tag]

    def alts(self) -> list[str]:
        """What pictures say to those who cannot see them; not those that say nothing."""
        return [str(attributes["alt"]) for tag, attributes in self.elements if tag == "img" and attributes["alt"]]


@pytest.fixture
def read_page() -> type[PageReader]:
    return PageReader
