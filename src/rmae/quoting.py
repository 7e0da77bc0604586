"""What files and other programs say, as it can stand in a sentence of ours: short, and on one line."""

from collections.abc import Mapping
from itertools import islice
from reprlib import Repr


class _InOrder(Repr):
    """Python's shortened writing, which sorts dictionaries, but for that."""

    def repr_dict(self, x: Mapping[object, object], level: int) -> str:
        if level <= 0:
            return "{...}"
        shown = islice(x.items(), self.maxdict)
        items = [f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}" for key, value in shown]
        return f"{{{', '.join([*items, '...'] if len(x) > self.maxdict else items)}}}"


LONGEST_SENTENCE = 1000
"""Characters of a sentence that a command says."""
_REPR = _InOrder()
_REPR.maxlevel = 3
_REPR.maxdict = _REPR.maxlist = _REPR.maxtuple = 10
_REPR.maxstring = _REPR.maxother = 60


def quoted(value: object) -> str:
    """Write a value as Python would, shortened to 100 characters; nothing in it breaks the line."""
    return one_line(_REPR.repr(value), longest=100)


def one_line(text: object, *, longest: int = 200) -> str:
    """Put text on one line, shortened, with a question mark for what is no letter, such as a terminal's commands.

    Args:
        text: A string; of an exception its message, and of anything else what Python would write, shortened.
        longest: Characters that are kept, at least 4.
    """
    words = text if isinstance(text, str) else str(text) if isinstance(text, Exception) else _REPR.repr(text)
    words = " ".join(words[: 10 * longest].split())
    plain = "".join(letter if letter.isprintable() else "?" for letter in words[: longest + 1])
    return plain if len(plain) <= longest else f"{plain[: longest - 3]}..."


def kind_and_message(error: Exception) -> str:
    """What an error of a library says, after its class: many, a KeyError say, do not tell by themselves what is wrong.

    Shortened as by `one_line`: that of text in another encoding holds the whole text.
    """
    return one_line(f"{type(error).__name__}: {error}")
