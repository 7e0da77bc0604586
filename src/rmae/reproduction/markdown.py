"""Parts of a page in Markdown that GitHub and Python-Markdown read alike."""

import re
from collections.abc import Sequence


def escape(text: str) -> str:
    """Write any text so that it is read as nothing but text, in one line."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]])", r"\\\1", text)


def code(text: str) -> str:
    """Write text as code within a line."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    edge = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{edge}{text}{edge}{fence}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, words: int) -> str:
    """Lay out a table.

    Args:
        header: Markdown of each column's head, each in one line.
        rows: Markdown of the cells, as many as there are columns.
        words: How many of the columns, from the first on, hold words and not figures: those are flush left.

    Returns:
        The table's lines.
    """
    rules = ["---"] * words + ["---:"] * (len(header) - words)
    lines = [[cell.replace("|", r"\|") for cell in header], rules]
    lines += [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
