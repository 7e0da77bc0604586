import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.scenes.picture_files import UnreadablePicture, decode, find_pictures, split_by_bytes, without_repeats


def digests(num: int, salt: str = "") -> list[bytes]:
    return [hashlib.sha256(f"{salt}{i}".encode()).digest() for i in range(num)]


def number(digest: bytes) -> float:
    return int.from_bytes(digest, "big") / 2**256


def test_pictures_are_found_at_any_depth_in_one_order(tmp_path: Path):
    for name in ("b/deep/er/2.PNG", "b/1.jpg", "a.webp", "notes.txt", ".hidden.png", ".git/3.png", "b/sound.ogg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path)]
    assert found == ["a.webp", "b/1.jpg", "b/deep/er/2.PNG"]


def test_links_are_followed_but_not_for_ever(tmp_path: Path):
    elsewhere, here = tmp_path / "elsewhere", tmp_path / "here"
    elsewhere.mkdir()
    here.mkdir()
    (elsewhere / "1.png").write_bytes(b"")
    (here / "class").symlink_to(elsewhere)
    (here / "again").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(here)
    assert [path.name for path in find_pictures(here)] == ["1.png"]


def test_the_same_bytes_count_once_under_their_first_name(tmp_path: Path):
    paths = [tmp_path / name for name in ("a", "b", "c", "missing", "gone")]
    for path, content in zip(paths, (b"1", b"2", b"1"), strict=False):
        path.write_bytes(content)
    found = list(without_repeats(paths))
    assert [file.path.name for file in found] == ["a", "b", "missing", "gone"]
    assert found[0].digest == hashlib.sha256(b"1").digest()


def test_pictures_are_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3)).save(tmp_path / "1.png", exif=exif)
    image, _ = decode(tmp_path / "1.png")
    np.testing.assert_array_equal(np.asarray(image), [[3, 0], [4, 1], [5, 2]])


def test_a_large_jpeg_is_reduced_where_that_is_enough(tmp_path: Path):
    Image.new("RGB", (800, 400)).save(tmp_path / "1.jpg")
    assert decode(tmp_path / "1.jpg")[0].size == (800, 400)
    image, size = decode(tmp_path / "1.jpg", smallest_useful=100)
    assert (image.size, size) == ((200, 100), (800, 400))


def test_what_is_no_picture_is_said(tmp_path: Path):
    whole = tmp_path / "whole.png"
    Image.effect_noise((50, 50), 90).save(whole)
    for name, content in (("torn.png", whole.read_bytes()[:900]), ("words.png", b"words"), ("empty.jpg", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadablePicture, match=rf"{name} cannot be read \("):
            decode(tmp_path / name)
    with pytest.raises(UnreadablePicture, match=r"missing.png cannot be read \(FileNotFoundError"):
        decode(tmp_path / "missing.png")


def test_a_quarter_is_for_validation_whatever_else_there_is():
    many, few = digests(4000), digests(4000)[::5]
    parts = split_by_bytes([(digest, digest) for digest in many])
    assert len(parts["val"]) == pytest.approx(1000, abs=100)
    assert sorted(parts["train"] + parts["val"]) == sorted(many)
    assert parts["train"] == tuple(digest for digest in many if number(digest) >= 0.25)
    parts_of_few = split_by_bytes([(digest, digest) for digest in few])
    assert all(set(parts_of_few[split]) <= set(parts[split]) for split in parts)


def test_of_few_files_there_are_some_in_both_parts():
    for num in range(2, 30):
        for salt in "abcdefghij":
            found = digests(num, salt)
            parts = split_by_bytes([(digest, digest) for digest in found])
            assert max(1, num // 8) <= len(parts["val"]) <= max(1, num * 3 // 8)
            assert max(map(number, parts["val"])) < min(map(number, parts["train"]))
            changed = (max(map(number, parts["val"])) >= 0.25) + (min(map(number, parts["train"])) < 0.25)
            usual = sum(number(digest) < 0.25 for digest in found)
            assert changed == (not max(1, num // 8) <= usual <= max(1, num * 3 // 8))
