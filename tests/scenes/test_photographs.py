from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.scenes import photographs
from rmae.scenes.photographs import read_photographs

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, write_photograph: Write) -> Path:
    for i in range(8):
        write_photograph(tmp_path / "deep" / f"{i}.png", i)
    return tmp_path


def test_photographs_are_divided_and_kept_as_they_are(folder: Path):
    found = read_photographs(folder)
    assert found.left_out == Counter()
    every = [image for part in found.parts.values() for image in part]
    assert len(every) == 8
    assert 1 <= len(found.parts["val"]) <= 3
    assert {(image.mode, image.size) for image in every} == {("RGB", (160, 130))}
    written = {Image.open(path).tobytes() for path in folder.rglob("*.png")}
    assert {image.tobytes() for image in every} == written


def test_large_ones_are_reduced(folder: Path):
    noise = np.random.default_rng(0).integers(0, 256, (10, 20, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((3000, 1500)).save(folder / "large.jpg")
    sizes = Counter(image.size for part in read_photographs(folder).parts.values() for image in part)
    assert sizes == Counter({(160, 130): 8, (1024, 512): 1})


def test_what_cannot_be_used_is_counted(folder: Path, write_photograph: Write):
    write_photograph(folder / "small.png", 20, size_hw=(127, 500))
    write_photograph(folder / "just.png", 21, size_hw=(128, 500))
    (folder / "words.jpg").write_text("words")
    (folder / "copy.png").write_bytes((folder / "deep" / "0.png").read_bytes())
    Image.open(folder / "deep" / "1.png").resize((320, 260)).save(folder / "scaled.png")
    clear = Image.open(write_photograph(folder / "opaque.png", 22)).convert("RGBA")
    clear.save(folder / "opaque.png")
    clear.putpixel((5, 5), (0, 0, 0, 254))
    clear.save(folder / "clear.png")
    found = read_photographs(folder)
    assert found.left_out == Counter(
        {"smaller than 128 pixels": 1, "unreadable": 1, "the same as another": 2, "with transparency": 1}
    )
    assert sum(map(len, found.parts.values())) == 10


def test_of_many_some_are_used_the_same_ones_each_time(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(photographs, "MOST_PHOTOGRAPHS", 5)
    found, again = read_photographs(folder), read_photographs(folder)
    assert found.left_out == Counter({"beyond 5": 3})
    for split in ("train", "val"):
        assert [image.tobytes() for image in found.parts[split]] == [image.tobytes() for image in again.parts[split]]


def test_too_few_are_refused(tmp_path: Path, write_photograph: Write):
    with pytest.raises(
        ValueError, match=r"has 0 usable photograph\(s\) in 0 picture file\(s\), and there must be at le"
    ):
        read_photographs(tmp_path)
    write_photograph(tmp_path / "1.png", 0)
    write_photograph(tmp_path / "2.png", 1, size_hw=(20, 20))
    with pytest.raises(
        ValueError, match=r"has 1 usable photograph\(s\) in 2 picture file\(s\), and there must be at le"
    ):
        read_photographs(tmp_path)
