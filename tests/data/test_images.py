import io
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile

from rmae.data.images import StoredImage, UnreadableImage, open_image, read_image

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


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "YCbCr", "LAB"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_colour_mode_gives_white_and_black(tmp_path: Path, mode: str, channels: int):
    picture = Image.new("RGB", (4, 2), "white")
    picture.paste((0, 0, 0), (2, 0, 4, 2))
    # Pillow before 13 cannot read YCbCr that is not compressed.
    path = save(picture.convert(mode), tmp_path / "picture.tif", compression="tiff_adobe_deflate")
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


def test_orientation_that_stands_in_xmp_alone_is_undone(tmp_path: Path):
    Image.new("RGB", (24, 16)).save(tmp_path / "a.jpg", xmp=b'<x:xmpmeta tiff:Orientation="6"/>')
    assert read_image(tmp_path / "a.jpg", channels=3, max_pixels=1000).shape == (24, 16, 3)


def test_suffix_does_not_matter(tmp_path: Path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (2, 2), RED).save(path, format="PNG")
    np.testing.assert_array_equal(read(path)[0, 0], RED)


@pytest.mark.parametrize("channels", [0, -3])
def test_less_than_one_channel_is_refused_before_the_file_is_looked_at(tmp_path: Path, channels: int):
    with pytest.raises(ValueError, match=rf"1 channel \(grey\).* as a TIFF has bands, not {channels};") as error:
        read(tmp_path / "missing.png", channels)
    assert not isinstance(error.value, UnreadableImage)


@pytest.mark.parametrize(("suffix", "mode"), [("png", "RGB"), ("jpg", "L"), ("gif", "P")])
def test_other_numbers_of_bands_are_read_from_tiff_alone(tmp_path: Path, suffix: str, mode: str):
    path = save(Image.new(mode, (4, 4)), tmp_path / f"a.{suffix}")
    with pytest.raises(UnreadableImage, match=f"^its pixels are {mode}, and images with 5 bands are read from TIFF al"):
        read(path, 5)


@pytest.mark.parametrize(("colour_type", "values"), [(2, 3), (4, 2), (6, 4)])
def test_16_bit_colour_png_is_refused(tmp_path: Path, colour_type: int, values: int):
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(2, 1, 16, colour_type, bytes(1 + 2 * 2 * values)))
    with pytest.raises(UnreadableImage, match=r"deeper than 8 bits; 8-bit images and 16-bit unsigned grey can be read"):
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


def jpeg_of_noise(width: int, height: int, orientation: int = 1, **options) -> bytes:
    """Smooth noise, so that a reduced decoding and the mean of the full one are close."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", exif=exif, **({"quality": 95, "subsampling": 0} | options))
    return buffer.getvalue()


def block_means(image: np.ndarray, size: int) -> np.ndarray:
    """Means of blocks that begin at the first row and column; those at the end may be smaller."""
    rows, columns = (np.arange(0, length, size) for length in image.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(image.astype(float), rows, axis=0), columns, axis=1)
    counts = np.minimum(rows + size, image.shape[0]) - rows, np.minimum(columns + size, image.shape[1]) - columns
    return sums / (counts[0][:, None, None] * counts[1][:, None])


def stored(data: bytes, channels: int = 3, max_pixels: int = 10**6) -> StoredImage:
    return open_image(io.BytesIO(data), channels=channels, max_pixels=max_pixels)


@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}])
def test_reduced_pixels_are_the_means_of_their_blocks(orientation: int, reduction: int, options: dict):
    data = jpeg_of_noise(112, 80, orientation, **options)
    full = read_image(io.BytesIO(data), channels=3, max_pixels=10**6)
    assert full.shape == ((112, 80, 3) if orientation >= 5 else (80, 112, 3))
    image = stored(data)
    assert image.size_hw == full.shape[:2]
    assert image.max_reduction == 8
    pixels = image.pixels(reduction)
    expected = block_means(full, reduction)
    assert pixels.shape == expected.shape
    # The means lie far apart: one block off would differ by much more.
    assert np.abs(pixels - expected).mean() < (3 if options.get("subsampling") else 1.5)
    assert np.abs(pixels[1:] - expected[:-1]).mean() > 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("width", "height"), [(109, 80), (112, 77), (108, 76), (110, 84), (109, 77)])
def test_no_reduction_is_offered_at_which_pixels_would_shift(orientation: int, width: int, height: int):
    data = jpeg_of_noise(width, height, orientation)
    full = read_image(io.BytesIO(data), channels=3, max_pixels=10**6)
    image = stored(data)
    columns_reversed, rows_reversed = orientation in (2, 3, 7, 8), orientation in (3, 4, 6, 7)
    holding = [s for s in (1, 2, 4, 8) if not (columns_reversed and width % s) and not (rows_reversed and height % s)]
    assert image.max_reduction == max(holding)
    for reduction in holding:
        pixels = image.pixels(reduction)
        size_hw = (width, height) if orientation >= 5 else (height, width)
        assert pixels.shape == (-(-size_hw[0] // reduction), -(-size_hw[1] // reduction), 3)
        # A whole block and not the mirror image of one: the last block, cut off, is filled up by the encoder.
        inner = np.s_[: size_hw[0] // reduction, : size_hw[1] // reduction]
        assert np.abs(pixels - block_means(full, reduction))[inner].mean() < 1.5


@pytest.mark.parametrize("height", [1, 3, 9, 15, 16, 250])
def test_reduced_sizes_are_rounded_up(height: int):
    for width in range(1, 36):
        image = stored(jpeg_of_noise(width, height))
        assert image.max_reduction == max(s for s in (1, 2, 4, 8) if s <= min(width, height))
        for reduction in [s for s in (1, 2, 4, 8) if s <= image.max_reduction]:
            assert image.pixels(reduction).shape == (-(-height // reduction), -(-width // reduction), 3)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("L", 3), ("RGB", 1), ("RGB", 4), ("CMYK", 3)])
def test_reduced_jpeg_of_every_mode(mode: str, channels: int):
    buffer = io.BytesIO()
    Image.new("RGB", (40, 24), (200, 120, 40)).convert(mode).save(buffer, format="JPEG", quality=95)
    image = stored(buffer.getvalue(), channels)
    full, reduced = image.pixels(), image.pixels(8)
    assert full.shape == (24, 40, channels)
    np.testing.assert_allclose(reduced, np.broadcast_to(full[0, 0], (3, 5, channels)), rtol=0, atol=2)


def test_pixels_can_be_asked_for_again_in_any_order():
    data = jpeg_of_noise(112, 80, 6)
    image = stored(data)
    reduced, full = image.pixels(4), image.pixels()
    np.testing.assert_array_equal(full, read_image(io.BytesIO(data), channels=3, max_pixels=10**6))
    np.testing.assert_array_equal(image.pixels(4), reduced)
    np.testing.assert_array_equal(stored(data).pixels(4), reduced)
    full[:], reduced[:] = 0, 0  # writable


def test_reductions_that_cannot_be_had_are_refused():
    image = stored(jpeg_of_noise(112, 80))
    for reduction in (0, 3, 16, -1):
        with pytest.raises(ValueError, match=f"reduction is {reduction}; of this image it must be one of 1, 2, 4, 8"):
            image.pixels(reduction)
    with pytest.raises(ValueError, match=r"reduction is 8; of this image it must be one of 1, 2, 4$"):
        stored(jpeg_of_noise(112, 7)).pixels(8)


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp", "gif"])
def test_other_forms_are_decoded_at_once_and_not_reduced(suffix: str):
    buffer = io.BytesIO()
    Image.new("RGB", (40, 24), RED).save(buffer, format=suffix)
    image = stored(buffer.getvalue())
    buffer.close()
    assert (image.size_hw, image.max_reduction) == ((24, 40), 1)
    np.testing.assert_array_equal(image.pixels()[0, 0], RED)
    with pytest.raises(ValueError, match=r"reduction is 2; of this image it must be one of 1$"):
        image.pixels(2)


def test_lossless_jpeg_is_not_reduced():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    image = stored(imagecodecs.jpeg8_encode(pixels, lossless=True))
    assert image.max_reduction == 1
    np.testing.assert_array_equal(image.pixels(), pixels)


def test_first_picture_of_a_stereo_jpeg():
    frames = [Image.new("RGB", (40, 24), colour) for colour in (RED, WHITE)]
    buffer = io.BytesIO()
    frames[0].save(buffer, format="MPO", save_all=True, append_images=frames[1:])
    image = stored(buffer.getvalue())
    for reduction in (8, 1, 2):
        assert np.abs(image.pixels(reduction).astype(int) - RED).max() <= 2


def test_damage_to_the_pixels_of_a_jpeg_is_found_when_they_are_decoded(tmp_path: Path):
    data = jpeg_of_noise(112, 80)
    image = stored(data[: len(data) * 2 // 3])
    assert image.size_hw == (80, 112)
    for reduction in (1, 8):
        with pytest.raises(UnreadableImage, match=r"it cannot be decoded \(OSError: image file is truncated"):
            image.pixels(reduction)
    with pytest.raises(UnreadableImage, match=r"it is not an image|it cannot be decoded"):
        stored(data[:100])


def test_too_large_jpeg_is_refused_at_opening():
    with pytest.raises(UnreadableImage, match="it has 112 x 80 = 8,960 pixels, more than the 8,959 allowed"):
        stored(jpeg_of_noise(112, 80), max_pixels=8_959)


@pytest.mark.parametrize("suffix", ["jpeg", "png", "tiff"])
def test_open_files_are_read_from_their_beginning_and_left_open(tmp_path: Path, suffix: str):
    path = save(Image.new("RGB", (20, 16), RED), tmp_path / "a", format=suffix)
    with path.open("rb") as file:
        file.seek(7)
        image = read_image(file, channels=3, max_pixels=10_000)
        np.testing.assert_array_equal(image, read(path))
        file.seek(0)
        assert file.read(1)
