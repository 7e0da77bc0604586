"""A folder of scenes that is there whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rmae.files import whole_folder


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside `out` to fill, which takes its place at the end.

    After an error it is removed.

    Args:
        out: Absolute path of a folder that does not exist yet, or is empty.

    Raises:
        ValueError: It is a file, or not empty, at the beginning or at the end; what is in it stays.
    """
    _refuse_used(out)
    try:
        with whole_folder(out, replaces=False, sync_once=True) as partial:
            yield partial
    except OSError:
        _refuse_used(out)  # somebody may have put something there in the meantime
        raise


def _refuse_used(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; choose a folder for the scenes")
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty; choose another folder for the scenes, or delete this one")
