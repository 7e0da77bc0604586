import io
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from rmae.data.images import UnreadableImage, check_channels, open_image, read_image
from tiff_files import bands_first, noise, read, write, write_pages


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("num_bands", [2, 5, 7])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"bigtiff": True, "byteorder": ">"},
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib", "byteorder": ">"},
        {"compression": "zlib", "predictor": True, "rowsperstrip": 3},
        {"compression": "packbits"},
        {"compression": "zstd"},
        {"compression": "lzma"},
        {"tile": (16, 16)},
        {"tile": (16, 32), "compression": "lzw"},
    ],
)
@pytest.mark.parametrize("layout", ["contig", "separate", "pages"])
def test_bands_are_read_as_stored(tmp_path: Path, dtype: type, num_bands: int, options: dict, layout: str):
    pixels = noise(num_bands, dtype)
    path = tmp_path / "a.tif"
    match layout:
        case "contig":
            write(path, pixels, **options)
        case "separate":
            write(path, bands_first(pixels), planarconfig="separate", **options)
        case _:
            write_pages(path, pixels, **options)
    image = read(path, num_bands)
    np.testing.assert_array_equal(image, pixels, strict=True)
    assert image.flags.c_contiguous
    image[:] = 0  # writable


@pytest.mark.parametrize("num_bands", [3, 4])
@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"compression": "lzw"}, {"bigtiff": True}])
def test_16_bit_colour(tmp_path: Path, num_bands: int, options: dict):
    pixels = noise(num_bands)
    path = write(tmp_path / "a.tif", pixels, photometric="rgb", **options)
    np.testing.assert_array_equal(read(path, num_bands), pixels, strict=True)
    path = write(tmp_path / "b.tif", bands_first(pixels), photometric="rgb", planarconfig="separate", **options)
    np.testing.assert_array_equal(read(path, num_bands), pixels, strict=True)


def test_open_files_and_files_in_memory(tmp_path: Path):
    pixels = noise(5)
    path = write(tmp_path / "a.tif", pixels)
    image = open_image(io.BytesIO(path.read_bytes()), channels=5, max_pixels=600)
    assert (image.size_hw, image.max_reduction) == ((20, 30), 1)
    np.testing.assert_array_equal(image.pixels(), pixels)
    with path.open("rb") as file:
        file.seek(5)
        np.testing.assert_array_equal(read_image(file, channels=5, max_pixels=600), pixels)
        assert not file.closed
    with os.fdopen(os.open(path, os.O_RDONLY), "rb") as file:  # its name is a number
        np.testing.assert_array_equal(read_image(file, channels=5, max_pixels=600), pixels)


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (noise(3, np.uint8), {"photometric": "rgb"}),
        (noise(4, np.uint8), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        (noise(1, np.uint8)[..., 0], {}),
        (noise(1, np.uint8)[..., 0], {"photometric": "miniswhite"}),
    ],
)
def test_8_bit_grey_and_colour_stay_as_pillow_reads_them(tmp_path: Path, pixels: np.ndarray, options: dict):
    path = write(tmp_path / "a.tif", pixels, **options)
    with Image.open(path) as image:
        for channels, mode in {1: "L", 3: "RGB", 4: "RGBA"}.items():
            if image.mode == "RGBA" and channels != 4:
                continue  # laid over white
            expected = np.array(image.convert(mode)).reshape(20, 30, channels)
            np.testing.assert_array_equal(read(path, channels), expected, strict=True)


def test_8_bit_bands_without_a_colour_are_taken_as_they_are(tmp_path: Path):
    for num_bands in (3, 4):
        path = write(tmp_path / "a.tif", noise(num_bands, np.uint8))
        np.testing.assert_array_equal(read(path, num_bands), noise(num_bands, np.uint8), strict=True)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("num_bands", [3, 5])
def test_orientation_is_undone(tmp_path: Path, orientation: int, num_bands: int):
    stored = noise(num_bands)
    path = write(tmp_path / "a.tif", stored, extratags=[(274, "H", 1, orientation, True)])
    undo = {
        1: lambda stored: stored,
        2: np.fliplr,
        3: lambda stored: np.rot90(stored, 2),
        4: np.flipud,
        5: lambda stored: np.swapaxes(stored, 0, 1),
        6: lambda stored: np.rot90(stored, -1),
        7: lambda stored: np.swapaxes(np.rot90(stored, 2), 0, 1),
        8: np.rot90,
    }[orientation]
    image = read(path, num_bands)
    np.testing.assert_array_equal(image, undo(stored), strict=True)
    assert image.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("num_bands", [3, 4])
@pytest.mark.parametrize("options", [{}, {"imagej": True, "metadata": {"axes": "CYX"}}, {"ome": True}])
def test_pages_that_are_said_to_be_bands(tmp_path: Path, dtype: type, num_bands: int, options: dict):
    if options.get("ome"):
        options = options | {"metadata": {"axes": "CYX"}}
    pixels = noise(num_bands, dtype)
    path = write_pages(tmp_path / "a.tif", pixels, **options)
    np.testing.assert_array_equal(read(path, num_bands), pixels, strict=True)
    np.testing.assert_array_equal(read(path, 1), pixels[..., :1], strict=True)


@pytest.mark.parametrize(
    "options",
    [
        {"metadata": None},
        {"metadata": None, "description": "scanned"},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "TYX"}},
    ],
)
def test_other_pages_are_frames_of_which_the_first_is_read(tmp_path: Path, options: dict):
    pixels = noise(3, np.uint8)
    path = write_pages(tmp_path / "a.tif", pixels, **options)
    np.testing.assert_array_equal(read(path, 3), pixels[..., [0, 0, 0]], strict=True)


def test_pages_that_are_more_than_bands_are_frames(tmp_path: Path):
    layers = np.stack([bands_first(noise(3, np.uint8))] * 2, axis=1)  # (3, 2, 20, 30)
    for kind in ("ome", "imagej"):
        axes, pixels = ("CZYX", layers) if kind == "ome" else ("ZCYX", layers.swapaxes(0, 1))
        path = tmp_path / f"{kind}.tif"
        tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": axes}, **{kind: True})
        np.testing.assert_array_equal(read(path, 3), noise(3, np.uint8)[..., [0, 0, 0]], strict=True)


def test_pages_of_another_size_or_depth_are_no_bands(tmp_path: Path):
    pixels = noise(5)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for band in bands_first(pixels):
            writer.write(band, photometric="minisblack", metadata=None)
            writer.write(band[::2, ::2], photometric="minisblack", subfiletype=1, metadata=None)
        writer.write(band.astype(np.uint8), photometric="minisblack", metadata=None)
    np.testing.assert_array_equal(read(tmp_path / "a.tif", 5), pixels, strict=True)


def test_overviews_of_interleaved_bands_are_ignored(tmp_path: Path):
    pixels = noise(5)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        options = {"photometric": "minisblack", "planarconfig": "contig"}
        writer.write(pixels, subifds=1, **options)
        writer.write(pixels[::2, ::2], subfiletype=1, **options)
        writer.write(pixels[::4, ::4], subfiletype=1, **options)
    np.testing.assert_array_equal(read(tmp_path / "a.tif", 5), pixels, strict=True)


@pytest.mark.parametrize(
    ("found", "channels", "said"),
    [
        (5, 3, "it has 5 bands, and the model takes 3 channels"),
        (5, 1, "it has 5 bands, and the model takes 1 channel"),
        (5, 4, "it has 5 bands, and the model takes 4 channels"),
        (2, 5, "it has 2 bands, and the model takes 5 channels"),
        (1, 5, "it has 1 band, and the model takes 5 channels"),
        (4, 3, "it has 4 bands, and the model takes 3 channels"),
    ],
)
def test_another_number_of_bands_is_refused(tmp_path: Path, found: int, channels: int, said: str):
    with pytest.raises(UnreadableImage, match=f"^{said}$"):
        read(write(tmp_path / "a.tif", noise(found).squeeze(-1) if found == 1 else noise(found)), channels)


def test_another_number_of_pages_is_refused(tmp_path: Path):
    path = write_pages(tmp_path / "a.tif", noise(7))
    with pytest.raises(UnreadableImage, match=r"^it has more than 5 bands, and the model takes 5 channels$"):
        read(path, 5)
    with pytest.raises(UnreadableImage, match=r"^it has 7 bands, and the model takes 8 channels$"):
        read(path, 8)


def test_unnamed_band_beside_8_bit_colours_is_not_dropped(tmp_path: Path):
    pixels = noise(4, np.uint8)
    path = write(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unspecified"])
    with pytest.raises(UnreadableImage, match=r"^it has 4 bands, and the model takes 3 channels$"):
        read(path, 3)
    np.testing.assert_array_equal(read(path, 4), pixels, strict=True)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint32, np.float16, np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("num_bands", [3, 5])
def test_other_numbers_are_refused(tmp_path: Path, dtype: type, num_bands: int):
    path = write(tmp_path / "a.tif", np.zeros((20, 30, num_bands), dtype=dtype))
    said = f"its pixels are {np.dtype(dtype).name}; unsigned integers of 8 or 16 bits can be read"
    with pytest.raises(UnreadableImage, match=f"^{said}$"):
        read(path, num_bands)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_float_and_32_bit_grey_are_refused(tmp_path: Path, dtype: type, channels: int):
    path = tmp_path / "a.tif"
    Image.fromarray(np.zeros((2, 2), dtype=dtype)).save(path)
    with pytest.raises(UnreadableImage, match=f"^its pixels are {dtype.__name__}; unsigned integers of 8 or 16 bits"):
        read(path, channels)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_16_bit_grey_of_both_byte_orders(tmp_path: Path, byteorder: str):
    grey = noise(1)
    path = write(tmp_path / "a.tif", grey[..., 0], byteorder=byteorder)
    np.testing.assert_array_equal(read(path, 1), grey, strict=True)


def test_without_tifffile_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    colour, grey = write(tmp_path / "a.tif", noise(3), photometric="rgb"), tmp_path / "b.tif"
    Image.new("L", (4, 4), 7).save(grey)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(UnreadableImage, match=r"it takes tifffile to read this TIFF; to have it, pip install"):
        read(colour, 3)
    np.testing.assert_array_equal(read(grey, 3), 7)
    for channels in (1, 3, 4):
        check_channels(channels)
    with pytest.raises(ValueError, match=re.escape("not 5; set channels to one of these, or to read TIFF files of 5")):
        check_channels(5)
    with pytest.raises(ValueError, match=r"pip install 'rmae\[bands\]'$"):
        read(tmp_path / "missing.tif", 2)


def test_with_tifffile_any_number_of_channels_can_be_asked_for():
    for channels in (1, 2, 3, 4, 5, 200):
        check_channels(channels)
    for channels in (0, -1):
        with pytest.raises(ValueError, match=f"not {channels}; set channels to one of these"):
            check_channels(channels)
