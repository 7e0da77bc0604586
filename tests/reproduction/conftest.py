"""What tests of running pieces share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rmae.reproduction.piece import Piece


@pytest.fixture(scope="session")
def draw() -> Callable[..., Piece]:
    """Makes pieces of a third of a second that draw scenes; thousands of pictures take many seconds."""

    def draw(name: str, *needs: str, num_train: int = 3, img_size: int = 32) -> Piece:
        flags = ("--num-train", str(num_train), "--num-val", "3", "--img-size", str(img_size))
        return Piece(name, ("scenes", name, *flags), needs, out=name, resumable=False)

    return draw


@pytest.fixture(scope="session")
def children() -> Callable[[], set[int]]:
    """Tells the process numbers of this process's children."""

    def children() -> set[int]:
        files = [task / "children" for task in Path(f"/proc/{os.getpid()}/task").iterdir()]
        return {int(pid) for file in files for pid in file.read_text().split()}

    return children
