"""What methods are called in results, and on the page."""

from collections.abc import Iterable

from rmae.config.interactive import METHOD_NAMES

MODEL, FELZENSZWALB, GRABCUT, SAM, NOTHING, NEAREST = METHOD_NAMES
"""The model under test, the methods beside it, and the controls that complete maps without a model."""

_TITLES = {
    MODEL: "This model",
    FELZENSZWALB: "Felzenszwalb regions",
    GRABCUT: "GrabCut",
    SAM: "Segment Anything",
    NOTHING: "Nothing more",
    NEAREST: "Nearest pixel",
}
_LONGEST_TITLE = 32


def method_titles(others: Iterable[str]) -> dict[str, str]:
    """What methods, controls and other models are called on the page, by name; of long paths the end."""
    return {name: _shorten(name) for name in others} | _TITLES


def _shorten(path: str) -> str:
    if len(path) <= _LONGEST_TITLE:
        return path
    kept = path[2 - _LONGEST_TITLE :]
    _, slash, whole_names = kept.partition("/")
    return f"…\N{WORD JOINER}{slash}{whole_names}" if slash else f"…\N{WORD JOINER}{kept}"
