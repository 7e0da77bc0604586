"""What tests of scenes of cut-outs share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.scenes.cut_out_files import CutOutFiles, read_cut_outs

Write = Callable[..., Path]


def texture(size_hw: tuple[int, int], seed: int) -> np.ndarray:
    """Noise around a colour, (H, W, 3) uint8: no two seeds look alike, and nearly every pixel has its own colour."""
    generator = np.random.default_rng(seed)
    middle = generator.integers(40, 216, 3)
    return (middle + generator.integers(-40, 40, (*size_hw, 3))).astype(np.uint8)


@pytest.fixture(scope="session")
def write_cut_out() -> Write:
    """Writes a cut-out: an opaque rectangle of noise with a transparent border of 4 pixels."""

    def write(path: Path, seed: int, *, size_hw: tuple[int, int] = (40, 48), **options) -> Path:
        pixels = np.zeros((size_hw[0] + 8, size_hw[1] + 8, 4), dtype=np.uint8)
        pixels[4:-4, 4:-4, :3] = texture(size_hw, seed)
        pixels[4:-4, 4:-4, 3] = 255
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, **options)
        return path

    return write


@pytest.fixture(scope="session")
def write_photograph() -> Write:
    """Writes a picture of noise."""

    def write(path: Path, seed: int, *, size_hw: tuple[int, int] = (130, 160)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(texture(size_hw, seed)).save(path)
        return path

    return write


@pytest.fixture(scope="session")
def folders(
    write_cut_out: Write, write_photograph: Write, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Three classes of eight cut-outs, and six photographs; not to be changed."""
    cut_outs, photographs = (tmp_path_factory.mktemp("sources") / name for name in ("cut_outs", "photographs"))
    for place, name in enumerate(("cups", "ants", "bees")):
        for i in range(8):
            write_cut_out(cut_outs / name / ("deep" if i % 2 else "") / f"{i}.png", 100 * place + i)
    for i in range(6):
        write_photograph(photographs / f"{i}.png", 1000 + i)
    return cut_outs, photographs


@pytest.fixture(scope="session")
def files(folders: tuple[Path, Path]) -> CutOutFiles:
    return read_cut_outs(*folders)
