"""A folder that is there whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rmae.files import flush


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside `out` to fill, which takes its place at the end.

    After an error it is removed.

    Args:
        out: Absolute path of a folder that does not exist yet, or is empty.

    Raises:
        ValueError: It is a file, or not empty.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; choose a folder for the scenes")
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty; choose another folder for the scenes, or delete this one")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a call that was killed
    partial.mkdir(parents=True)
    try:
        yield partial
        os.sync()  # once for all of the many files: one after the other they take milliseconds each on a busy disk
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    flush(out.parent)
