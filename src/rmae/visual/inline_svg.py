"""matplotlib's figures as inline SVG that follows the colours of the page around it."""

import io
import re
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# matplotlib writes fixed colours only; these stand in for the ones that the page's style sheet sets, light or dark.
PIXEL, REGION, MUTED, INK, GRID, GROUND = "#00f101", "#00f102", "#00f103", "#00f104", "#00f105", "#00f106"
_PAGE_COLOURS = {
    PIXEL: "var(--pixel)",
    REGION: "var(--region)",
    MUTED: "var(--muted)",
    INK: "currentColor",
    GRID: "var(--line)",
    GROUND: "var(--card)",
}

_SVG_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "rmae",  # otherwise the ids, and so the page, would differ from one writing to the next
}


def inline_svg(figure: Figure, *, prefix: str, label: str) -> str:
    """Write a figure as SVG to stand inside a page.

    Args:
        figure: Drawn in the colours `PIXEL`, `REGION`, `MUTED`, `INK`, `GRID` and `GROUND`, which the page replaces by
            its own.
        prefix: Put before each id; must differ between the figures of one page.
        label: What the figure shows, for those who cannot see it.

    Returns:
        HTML: one `<svg>`.
    """
    file = io.StringIO()
    with mpl.rc_context(_SVG_SETTINGS):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]  # without the XML declaration and document type, which HTML does not allow here
    for stand_in, colour in _PAGE_COLOURS.items():
        svg = svg.replace(stand_in, colour)
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
