import io
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import tifffile

from rmae.data.images import UnreadableImage, read_image
from tiff_files import bands_first, noise, read, write, write_pages


def set_tag(path: Path, code: int, value: int) -> None:
    """Overwrite the value of a tag of the first page, in a little-endian file, with a 32-bit number."""
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags[code]
        place, size = tag.offset, tag.valueoffset - tag.offset
    assert size == 8
    data = bytearray(path.read_bytes())
    struct.pack_into("<HII", data, place + 2, 4, 1, value)
    path.write_bytes(data)


def lead_back(path: Path, page: int) -> None:
    """Let the last page of a file lead to another page."""
    with tifffile.TiffFile(path) as file:
        offsets = [each.offset for each in file.pages]
    data = bytearray(path.read_bytes())
    (num_tags,) = struct.unpack_from("<H", data, offsets[-1])
    struct.pack_into("<I", data, offsets[-1] + 2 + 12 * num_tags, offsets[page])
    path.write_bytes(data)


@pytest.mark.parametrize("bits", [4, 12])
def test_odd_depths_are_refused(tmp_path: Path, bits: int):
    path = write(tmp_path / "a.tif", noise(1)[..., 0])
    set_tag(path, 258, bits)
    with pytest.raises(UnreadableImage, match=rf"^its pixels are of {bits} bits; unsigned integers of 8 or 16 bits"):
        read(path, 2)


def test_palettes_and_volumes_are_refused(tmp_path: Path):
    pixels = noise(1)[..., 0]
    path = write(tmp_path / "a.tif", pixels)
    set_tag(path, 262, 3)
    with pytest.raises(UnreadableImage, match="its pixels are entries of a palette"):
        read(path, 2)
    tifffile.imwrite(path, np.zeros((16, 32, 32), np.uint8), volumetric=True, tile=(16, 32, 32))
    with pytest.raises(UnreadableImage, match="it is a volume of 16 layers"):
        read(path, 2)


@pytest.mark.parametrize("compression", ["jpeg2000", "jpeg", "png", "webp"])
def test_compressions_that_say_their_size_themselves_are_refused(tmp_path: Path, compression: str):
    bands = noise(2 if compression == "png" else 5, np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, bands_first(bands), photometric="minisblack", compression="zlib")
    number = {"jpeg2000": 34712, "jpeg": 7, "png": 34933, "webp": 50001}[compression]
    set_tag(path, 259, number)
    with pytest.raises(
        UnreadableImage, match=r"^it is compressed with .*; bands are read from TIFF uncompressed or with"
    ):
        read(path, bands.shape[-1])


@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}, {"compression": "zlib"}, {"tile": (16, 16)}])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated_files_are_unreadable(tmp_path: Path, options: dict, share: float):
    path = write(tmp_path / "a.tif", noise(5), **options)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadableImage, match=r"^it cannot be decoded"):
        read(path, 5)


def test_missing_parts_are_not_filled_in(tmp_path: Path):
    path = write(tmp_path / "a.tif", noise(5), rowsperstrip=4, compression="zlib")
    set_tag(path, 278, 2**31)  # rows a strip: now there would be one strip
    with pytest.raises(UnreadableImage, match=r"^it cannot be decoded"):
        read(path, 5)
    path = write(tmp_path / "b.tif", noise(5), compression="zlib")
    set_tag(path, 278, 4)
    with pytest.raises(UnreadableImage, match=r"^it cannot be decoded \(it lists 1 of its 5 parts\)"):
        read(path, 5)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"compression": "lzw"}])
def test_declared_sizes_are_refused_before_anything_is_allocated(tmp_path: Path, channels: int, options: dict):
    path = write(tmp_path / "a.tif", noise(channels).squeeze(), **options)
    set_tag(path, 256, 100_000)
    set_tag(path, 257, 100_000)
    with pytest.raises(
        UnreadableImage, match=r"more than the .*10,000.* allowed \(max_pixels\)|lists 1 of its|lists 4 of"
    ):
        read(path, channels)


def test_max_pixels_itself_is_allowed(tmp_path: Path):
    path = write(tmp_path / "a.tif", noise(5))
    assert read(path, 5, max_pixels=600).shape == (20, 30, 5)
    with pytest.raises(UnreadableImage, match=r"it has 30 x 20 = 600 pixels, more than the 599 allowed \(max_pixels\)"):
        read(path, 5, max_pixels=599)


def test_huge_tiles_are_refused(tmp_path: Path):
    path = write(tmp_path / "a.tif", noise(5)[:16, :16], tile=(16, 16), compression="zlib")
    for code in (322, 323):
        set_tag(path, code, 1_000_000)
    with pytest.raises(UnreadableImage, match="its tiles have 1000000 x 1000000 pixels, more than the 16,777,216"):
        read(path, 5)


def test_pages_in_a_circle_are_refused(tmp_path: Path):
    for page in range(3):
        path = write_pages(tmp_path / "a.tif", noise(3), metadata=None)
        lead_back(path, page)
        with pytest.raises(UnreadableImage, match="its pages form a circle"):
            read(path, 5)


def test_empty_image_is_unreadable(tmp_path: Path):
    path = write(tmp_path / "a.tif", noise(5))
    set_tag(path, 257, 0)
    with pytest.raises(UnreadableImage, match=r"^it cannot be decoded"):
        read(path, 5)


@pytest.mark.parametrize("start", [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"])
@pytest.mark.parametrize("channels", [3, 5])
def test_nothing_behind_the_first_bytes(tmp_path: Path, start: bytes, channels: int):
    for length in (0, 4, 100):
        (tmp_path / "a.tif").write_bytes(start + bytes(length))
        with pytest.raises(UnreadableImage, match=r"^it cannot be decoded"):
            read(tmp_path / "a.tif", channels)


@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}, {"compression": "zlib", "predictor": True}])
def test_random_damage_is_always_reported_as_unreadable(tmp_path: Path, options: dict):
    generator = np.random.default_rng(0)
    whole = write(tmp_path / "a.tif", noise(5), **options).read_bytes()
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(whole)
        for place in np.r_[generator.integers(0, 400, size=3), generator.integers(0, len(whole), size=1)]:
            damaged[place] = generator.integers(256)
        try:
            outcomes.add(read_image(io.BytesIO(damaged), channels=5, max_pixels=10_000).ndim)
        except UnreadableImage:
            outcomes.add("unreadable")
    assert outcomes == {3, "unreadable"}


def test_without_codecs_and_without_a_word_on_stderr(tmp_path: Path):
    # In a process of its own: tifffile looks for codecs when it is imported, and pytest catches what is logged.
    write(tmp_path / "lzw.tif", noise(5), compression="lzw")
    write(tmp_path / "zlib.tif", noise(5), compression="zlib")
    data = bytearray(write_pages(tmp_path / "far.tif", noise(5), metadata=None).read_bytes())
    script = """
        import sys
        from pathlib import Path
        sys.modules["imagecodecs"] = None
        from rmae.data.images import UnreadableImage, read_image
        for name in ("zlib", "lzw", "far"):
            try:
                print(name, read_image(Path(name + ".tif"), channels=5, max_pixels=600).sum())
            except UnreadableImage as error:
                print(name, error)
    """
    with tifffile.TiffFile(tmp_path / "far.tif") as file:
        last = file.pages[-1].offset
    (num_tags,) = struct.unpack_from("<H", data, last)
    struct.pack_into("<I", data, last + 2 + 12 * num_tags, 2**31)  # a next page beyond the end, of which tifffile logs
    (tmp_path / "far.tif").write_bytes(data)
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ended.stderr == ""
    total = noise(5).sum()
    assert ended.stdout.splitlines() == [
        f"zlib {total}",
        "lzw it is compressed with LZW; to read it, pip install 'rmae[bands]'",
        f"far {total}",
    ]
