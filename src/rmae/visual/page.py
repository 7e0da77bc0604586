"""Pieces of a self-contained HTML page. Every string that is not named `html` is escaped here."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from rmae.visual.pictures import jpeg_data_uri, png_data_uri
from rmae.visual.style import STYLE

# The page loads nothing: pictures are data, the style sheet is inline, and scripts do not run.
_SECURITY_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, body_html: str) -> str:
    """A whole page.

    Args:
        title: Name of the page, as a browser's tab shows it.
        body_html: What stands on it.

    Returns:
        An HTML document that refers to nothing outside itself.
    """
    document = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_SECURITY_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body_html}\n</main>\n</body>\n</html>\n"
    )
    # Names of files may hold bytes that are no text; what Python makes of those cannot be written to a file.
    return document.encode(errors="replace").decode()


def section(heading: str, body_html: str) -> str:
    """A part of the page under its own heading."""
    return f"<section>\n<h2>{escape(heading)}</h2>\n{body_html}\n</section>\n"


def paragraph(text: str, *, style: str = "") -> str:
    """A paragraph of plain text, in one of the style sheet's classes."""
    return f'<p class="{escape(style)}">{escape(text)}</p>\n'


def figure(image: np.ndarray, *, alt: str, title: str, caption: str = "", is_photograph: bool = False) -> str:
    """A picture with a title and a line that explains it.

    Args:
        image: Shape (H, W, 3) uint8.
        alt: What the picture shows, for those who cannot see it.
        title: A few words.
        caption: A sentence, or nothing.
        is_photograph: Whether it is shown as a JPEG, with slight losses, and not as a PNG.

    Returns:
        HTML with the picture inside.
    """
    height, width = image.shape[:2]
    explained = f" <span>{escape(caption)}</span>" if caption else ""
    source = jpeg_data_uri(image) if is_photograph else png_data_uri(image)
    return (
        f'<figure><img src="{source}" width="{width}" height="{height}" alt="{escape(alt)}">'
        f"<figcaption><strong>{escape(title)}</strong>{explained}</figcaption></figure>\n"
    )


def large_figure(image: np.ndarray, *, alt: str, title: str, caption: str) -> str:
    """A picture to look at closely: a click makes it fill the window, and another one puts it back.

    Args:
        image: Shape (H, W, 3) uint8; it is shown as a JPEG, with slight losses.
        alt: What the picture shows, for those who cannot see it.
        title: A few words.
        caption: A sentence, or a few figures.

    Returns:
        HTML with the picture inside.
    """
    height, width = image.shape[:2]
    # A box to tick, since a page without scripts has no other click that can be taken back.
    return (
        f'<figure><label class="zoom" style="aspect-ratio: {width} / {height}">'
        f'<input type="checkbox" aria-label="Enlarge: {escape(title)}">'
        f'<img src="{jpeg_data_uri(image)}" width="{width}" height="{height}" alt="{escape(alt)}"></label>'
        f"<figcaption><strong>{escape(title)}</strong> <span>{escape(caption)}</span></figcaption></figure>\n"
    )


def tiles(entries: list[tuple[str, str, str]]) -> str:
    """Key figures side by side.

    Args:
        entries: Of each figure its name, its value, and a few words on what it means.

    Returns:
        HTML, empty if there are no figures.
    """
    if not entries:
        return ""
    items = (
        f"<div><dt>{escape(name)}</dt><dd><b>{escape(value)}</b> <span>{escape(note)}</span></dd></div>"
        for name, value, note in entries
    )
    return f'<dl class="tiles">{"".join(items)}</dl>\n'


def facts(entries: Mapping[str, str]) -> str:
    """Names and values as a list, empty if there are none."""
    if not entries:
        return ""
    items = (f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in entries.items())
    return f'<dl class="facts">{"".join(items)}</dl>\n'


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, open_rows: int = 20) -> str:
    """A table whose first column names its rows; numbers stand to the right in the others.

    Args:
        columns: What stands in the head.
        rows: Of each row its cells, as many as there are columns.
        open_rows: How many rows are shown at once; the others open on a click.

    Returns:
        HTML.
    """
    shown = _table(columns, rows[:open_rows])
    if len(rows) <= open_rows:
        return shown
    more = _table(columns, rows[open_rows:])
    return f"{shown}<details><summary>{len(rows) - open_rows:,} more rows</summary>{more}</details>\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>\n'


def folded(heading: str, text: str) -> str:
    """Text in its own line breaks that opens on a click."""
    return f"<details><summary>{escape(heading)}</summary><pre>{escape(text)}</pre></details>\n"
