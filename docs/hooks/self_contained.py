"""See that the built site loads nothing from elsewhere: only links that people click may lead out of it."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

_OUTSIDE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_IN_CSS = re.compile(r"(?:@import\s*(?:url\()?|url\()\s*[\"']?\s*([^\"')\s]+)", re.IGNORECASE)
_FETCHED = ("src", "poster", "data")
_SEVERAL_FETCHED = ("srcset", "imagesrcset")
_NEEDS_A_SCRIPT = "mermaid"
"""Diagrams of this class would have the theme load a script from elsewhere."""


def on_post_build(config: "MkDocsConfig") -> None:
    """Refuse a site that would load something from elsewhere."""
    from mkdocs.exceptions import PluginError  # here alone, so that tests need no mkdocs

    site = Path(config.site_dir)
    found = [f"{file.relative_to(site)}: {address}" for file in sorted(site.rglob("*")) for address in fetched(file)]
    if found:
        raise PluginError(f"the site loads what is not in it: {'; '.join(found)}")


def fetched(file: Path) -> list[str]:
    """Addresses outside of the site that a browser would fetch by itself when it shows a page or a style sheet."""
    match file.suffix:
        case ".html":
            reader = _Reader()
            reader.feed(file.read_text())
            return reader.found
        case ".css":
            return [address for address in _IN_CSS.findall(file.read_text()) if _OUTSIDE.match(address)]
        case _:
            return []


class _Reader(HTMLParser):
    """Collects what a page would have fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        addresses = [values[name] for name in _FETCHED if name in values]
        for name in _SEVERAL_FETCHED:
            addresses += values.get(name, "").split(",")  # each an address and a size
        if tag == "link":
            addresses.append(values.get("href", ""))
        addresses += _IN_CSS.findall(values.get("style", ""))
        self.found += [address.split()[0] for address in addresses if _OUTSIDE.match(address)]
        if _NEEDS_A_SCRIPT in values.get("class", "").split():
            self.found.append(f"a script for the class {_NEEDS_A_SCRIPT}")
        self._in_style = tag == "style"

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.found += [address for address in _IN_CSS.findall(data) if _OUTSIDE.match(address)]
