"""What a table's part of the results page says in words."""

from typing import NamedTuple

from rmae.reproduction.contrasts import Claim


class TableText(NamedTuple):
    """Markdown, each in one line."""

    title: str
    """What it is called."""
    question: str
    """What is compared, in a sentence or two."""
    notes: tuple[str, ...]
    """What readers of its figures should know."""
    claims: tuple[Claim, ...]
    """What is claimed of its arms, in the order in which it is told."""
