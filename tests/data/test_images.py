import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile

from rmae.data.images import UnreadableImage, read_image

RED, WHITE = (255, 0, 0), (255, 255, 255)


def read(path: Path, channels: int = 3, max_pixels: int = 10_000) -> np.ndarray:
    return read_image(path, channels=channels, max_pixels=max_pixels)


def save(picture: Image.Image, path: Path, **options) -> Path:
    picture.save(path, **options)
    return path


def png_bytes(width: int, height: int, bits: int, colour_type: int, rows: bytes, *, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def tiff_bytes(width: int, height: int, bits: tuple[int, ...], photometric: int, pixels: bytes) -> bytes:
    """A little-endian TIFF of one uncompressed strip; bands beyond the photometric's are of unspecified meaning."""
    num_colours = {1: 1, 2: 3}[photometric]
    extra = (0,) * (len(bits) - num_colours)
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, None), (277, len(bits))]
    tags += [(278, height), (279, len(pixels))] + ([(338, extra)] if extra else [])
    directory_end = 8 + 2 + 12 * len(tags) + 4
    entries, values, strip = b"", b"", directory_end + 64
    for tag, value in tags:
        shorts = (value,) if isinstance(value, int) else value or ()
        if tag == 273:
            entries += struct.pack("<HHII", tag, 4, 1, strip)
        elif len(shorts) <= 2:
            entries += struct.pack("<HHI", tag, 3, len(shorts)) + struct.pack(f"<{len(shorts)}H", *shorts).ljust(
                4, b"\0"
            )
        else:
            entries += struct.pack("<HHII", tag, 3, len(shorts), directory_end + len(values))
            values += struct.pack(f"<{len(shorts)}H", *shorts)
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4)
    return head + values.ljust(64, b"\0") + pixels


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "YCbCr", "LAB"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_colour_mode_gives_white_and_black(tmp_path: Path, mode: str, channels: int):
    picture = Image.new("RGB", (4, 2), "white")
    picture.paste((0, 0, 0), (2, 0, 4, 2))
    path = save(picture.convert(mode), tmp_path / "picture.tif")
    image = read(path, channels)
    assert image.shape == (2, 4, channels)
    assert image.dtype == np.uint8
    colours = image[..., : min(channels, 3)]
    tolerance = 1 if mode == "LAB" else 0
    np.testing.assert_allclose(colours[:, :2], 255, rtol=0, atol=tolerance)
    np.testing.assert_allclose(colours[:, 2:], 0, rtol=0, atol=tolerance)
    assert channels < 4 or (image[..., 3] == 255).all()
    image[:] = 0  # writable


def test_colours_keep_their_order(tmp_path: Path):
    path = save(Image.new("RGB", (2, 3), (10, 20, 30)), tmp_path / "a.png")
    np.testing.assert_array_equal(read(path), np.broadcast_to(np.uint8([10, 20, 30]), (3, 2, 3)))


def test_cmyk_jpeg(tmp_path: Path):
    path = save(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), tmp_path / "a.jpg", quality=95)
    image = read(path).astype(int)
    assert np.abs(image - RED).max() <= 4


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L"])
def test_transparency_is_laid_over_white(tmp_path: Path, mode: str):
    if mode == "RGBA":
        picture = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    elif mode == "LA":
        picture = Image.new("LA", (2, 1), (0, 0))
    else:  # one palette entry or one grey is transparent
        picture = Image.new(mode, (2, 1), 0)
    options = {} if mode in ("RGBA", "LA") else {"transparency": 0}
    path = save(picture, tmp_path / "a.png", **options)
    np.testing.assert_array_equal(read(path), 255)
    np.testing.assert_array_equal(read(path, 1), 255)
    np.testing.assert_array_equal(read(path, 4)[..., 3], 0)


def test_half_transparent_red_becomes_pink(tmp_path: Path):
    path = save(Image.new("RGBA", (1, 1), (255, 0, 0, 51)), tmp_path / "a.png")
    np.testing.assert_array_equal(read(path), [[[255, 204, 204]]])
    np.testing.assert_array_equal(read(path, 4), [[[255, 0, 0, 51]]])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_stays_16_bit_with_one_channel_only(tmp_path: Path, suffix: str):
    grey = np.array([[0, 128, 129, 65535], [256, 257, 32768, 65000]], dtype=np.uint16)
    path = save(Image.fromarray(grey), tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read(path, 1), grey[..., None], strict=True)
    rounded = np.array([[0, 0, 1, 255], [1, 1, 128, 253]], dtype=np.uint8)
    np.testing.assert_array_equal(read(path, 3), np.stack([rounded] * 3, axis=-1), strict=True)
    opaque = np.full_like(rounded, 255)
    np.testing.assert_array_equal(read(path, 4), np.stack([rounded] * 3 + [opaque], axis=-1), strict=True)


def test_big_endian_16_bit_grey(tmp_path: Path):
    grey = np.array([[1, 258]], dtype=np.uint16)
    path = tmp_path / "a.tif"
    little = tiff_bytes(2, 1, (16,), 1, grey.astype("<u2").tobytes())
    path.write_bytes(little)
    np.testing.assert_array_equal(read(path, 1)[..., 0], grey)
    save(Image.frombytes("I;16B", (2, 1), grey.astype(">u2").tobytes()), path)
    np.testing.assert_array_equal(read(path, 1)[..., 0], grey, strict=True)


def test_transparent_16_bit_grey_is_white(tmp_path: Path):
    path = tmp_path / "a.png"
    key = chunk(b"tRNS", b"\x01\x02")
    path.write_bytes(png_bytes(2, 1, 16, 0, b"\0" + b"\x01\x02" + b"\x80\x00", extra=key))
    np.testing.assert_array_equal(read(path, 1)[..., 0], [[65535, 32768]])
    np.testing.assert_array_equal(read(path, 4)[..., 3], [[0, 255]])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("tif", {}), ("tif", {"compression": "tiff_lzw"})])
def test_orientation_is_undone(tmp_path: Path, orientation: int, suffix: str, options: dict):
    upright = np.array([[0, 1, 2], [3, 4, 5]], dtype=np.uint8)
    undo = {  # what a viewer does with the stored pixels
        1: lambda stored: stored,
        2: np.fliplr,
        3: lambda stored: np.rot90(stored, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda stored: np.rot90(stored, -1),
        7: lambda stored: np.rot90(stored, 2).T,
        8: lambda stored: np.rot90(stored, 1),
    }[orientation]
    shapes = [(2, 3), (3, 2)]
    stored = next(  # the picture that turns upright, found by trying all turns and mirrorings
        candidate
        for k in range(4)
        for candidate in (np.rot90(upright, k), np.rot90(upright.T, k))
        if candidate.shape in shapes and np.array_equal(undo(candidate), upright)
    )
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = save(Image.fromarray(np.ascontiguousarray(stored)), tmp_path / f"a.{suffix}", exif=exif, **options)
    np.testing.assert_array_equal(read(path, 1)[..., 0], upright)


def test_suffix_does_not_matter(tmp_path: Path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (2, 2), RED).save(path, format="PNG")
    np.testing.assert_array_equal(read(path)[0, 0], RED)


@pytest.mark.parametrize("channels", [0, 2, 5])
def test_other_numbers_of_channels_are_refused_before_the_file_is_looked_at(tmp_path: Path, channels: int):
    with pytest.raises(ValueError, match=r"1 channel \(grey\), 3 \(RGB\) or 4 \(RGB and alpha\), not") as error:
        read(tmp_path / "missing.png", channels)
    assert not isinstance(error.value, UnreadableImage)


@pytest.mark.parametrize(("colour_type", "values"), [(2, 3), (4, 2), (6, 4)])
def test_16_bit_colour_png_is_refused(tmp_path: Path, colour_type: int, values: int):
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(2, 1, 16, colour_type, bytes(1 + 2 * 2 * values)))
    with pytest.raises(UnreadableImage, match=r"deeper than 8 bits; 8-bit images and 16-bit unsigned grey can be read"):
        read(path)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_float_and_32_bit_are_refused(tmp_path: Path, dtype: type):
    path = save(Image.fromarray(np.zeros((2, 2), dtype=dtype)), tmp_path / "a.tif")
    with pytest.raises(UnreadableImage, match="deeper than 8 bits"):
        read(path)


def test_16_bit_colour_tiff_is_refused(tmp_path: Path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_bytes(2, 1, (16, 16, 16), 2, bytes(12)))
    with pytest.raises(UnreadableImage, match="deeper than 8 bits"):
        read(path)


def test_many_bands_are_refused(tmp_path: Path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_bytes(2, 1, (8, 8, 8), 2, bytes(range(6))))
    np.testing.assert_array_equal(read(path), np.arange(6).reshape(1, 2, 3))
    path.write_bytes(tiff_bytes(2, 1, (8,) * 6, 2, bytes(range(12))))
    with pytest.raises(UnreadableImage, match="it has 6 bands; files with up to 4 bands"):
        read(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp"])
def test_truncated_files_are_unreadable(tmp_path: Path, suffix: str):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    path = save(Image.fromarray(pixels), tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(UnreadableImage, match=r"it cannot be decoded \(|it is not an image"):
        read(path)


def test_other_things_are_unreadable(tmp_path: Path):
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "empty.jpg").touch()
    for name in ("text.jpg", "empty.jpg"):
        with pytest.raises(UnreadableImage, match=r"it is not an image in a form that can be read \(JPEG, PNG"):
            read(tmp_path / name)
    with pytest.raises(UnreadableImage, match="the file is missing"):
        read(tmp_path / "missing.jpg")
    with pytest.raises(UnreadableImage, match=r"it cannot be decoded \(IsADirectoryError"):
        read(tmp_path)


def test_documents_that_start_programs_are_not_opened(tmp_path: Path):
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, format="EPS")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    with pytest.raises(UnreadableImage, match="it is not an image"):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize("side", [11_000, 60_000])  # Pillow warns of the first and raises for the second
def test_too_large_is_said_before_decoding(tmp_path: Path, side: int):
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(side, side, 8, 2, b""))
    with pytest.raises(UnreadableImage, match=r"more than the .*10,000.* allowed \(max_pixels\)"):
        read(path)


def test_max_pixels_itself_is_allowed(tmp_path: Path):
    path = save(Image.new("L", (5, 4)), tmp_path / "a.png")
    assert read(path, max_pixels=20).shape == (4, 5, 3)
    with pytest.raises(UnreadableImage, match="it has 5 x 4 = 20 pixels, more than the 19 allowed"):
        read(path, max_pixels=19)


def test_random_damage_is_always_reported_as_unreadable(tmp_path: Path):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    outcomes = set()
    for suffix in ("jpg", "png", "webp", "bmp", "gif"):
        whole = save(Image.fromarray(pixels), tmp_path / f"a.{suffix}").read_bytes()
        for _ in range(60):
            damaged = bytearray(whole)
            for place in generator.integers(0, len(whole), size=3):
                damaged[place] = generator.integers(256)
            (tmp_path / "damaged").write_bytes(damaged)
            try:
                outcomes.add(read(tmp_path / "damaged").ndim)
            except UnreadableImage:
                outcomes.add("unreadable")
    assert outcomes == {3, "unreadable"}


def test_pillow_is_left_as_it_was(tmp_path: Path):
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    read(save(Image.new("L", (5, 4)), tmp_path / "a.png"))
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
