"""Files of a part of a drawn or composed data set."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from rmae.scenes.coco_part import save_picture


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_full_disk_names_the_picture(
    suffix: str, tmp_path: Path, limit_files: Callable[[int], AbstractContextManager[None]]
):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with limit_files(500), pytest.raises(OSError, match="File too large") as failure:
        save_picture(noise, tmp_path / f"a{suffix}")
    assert failure.value.filename == str(tmp_path / f"a{suffix}")
