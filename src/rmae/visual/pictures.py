"""Arrays as pictures: images for display, hidden patches, region maps, and PNG data for a page."""

import base64
import io

import numpy as np
from PIL import Image

HIDDEN_COLOUR = (128, 131, 137)
"""Grey of a hidden patch, in images and in region maps alike."""
REGION_RAMP = ((18, 26, 48), (196, 62, 112), (255, 214, 102))
"""Colours of a pixel outside a region, of one that may be either, and of one inside."""
OUTLINE_COLOUR = (255, 255, 255)
"""The line in a predicted map along which the probability is 0.5."""

_RAMP_STEPS = 64  # finer than the eye tells apart, and with the outline few enough for a PNG with a palette
_COMFORTABLE_SIDE = 192


def to_display(image: np.ndarray) -> np.ndarray:
    """Turn an image of any number of channels into one that a screen can show.

    Args:
        image: Shape (M, H, W) float, full scale = 1; what lies outside [0, 1] is clipped. One channel is shown as grey,
            three as RGB, four as RGB and alpha on white; of two channels the first one is shown, as grey, and of five
            or more the first three.

    Returns:
        Shape (H, W, 3) uint8.
    """
    image = np.clip(image, 0, 1)
    match image.shape[0]:
        case 1 | 2:
            colours = image[[0, 0, 0]]
        case 4:
            alpha = image[3]
            colours = image[:3] * alpha + (1 - alpha)
        case _:
            colours = image[:3]
    return np.rint(colours * 255).astype(np.uint8).transpose(1, 2, 0)  # (H, W, 3)


def show_stored(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Resize an image as stored, with antialias, and turn it into one that a screen can show.

    Args:
        image: Shape (H, W, M), uint8 or uint16. Channels are shown as by `to_display`. 16-bit images are stretched
            from the darkest to the brightest half percent, since few sensors use all of the range; four channels of
            them are taken for bands, without alpha.
        size_hw: Height h and width w of the result in pixels.

    Returns:
        Shape (h, w, 3) uint8.
    """
    stored_8_bit = image.dtype == np.uint8
    num_shown = {1: 1, 2: 1, 4: 4 if stored_8_bit else 3}.get(image.shape[2], 3)
    # One channel at a time, since an image as floats takes four times its memory.
    channels = [_resize_channel(image[..., channel], size_hw) for channel in range(num_shown)]
    pixels = np.stack(channels)  # (1, 3 or 4, h, w)
    if stored_8_bit:
        return to_display(pixels / 255)
    darkest, brightest = np.percentile(pixels, [0.5, 99.5])
    return to_display((pixels - darkest) / max(1, brightest - darkest))


def hide_patches(image: np.ndarray, hidden: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Paint the hidden patches of an image grey.

    Args:
        image: Shape (H, W, 3) uint8.
        hidden: Shape (L,) bool in raster order, True where the patch is hidden.
        grid: Rows and columns of patches; they divide H and W, and their product is L.

    Returns:
        A new array, shape (H, W, 3) uint8.
    """
    rows, columns = grid
    height, width = image.shape[:2]
    assert (height % rows, width % columns) == (0, 0)
    pixels = hidden.reshape(rows, columns).repeat(height // rows, axis=0).repeat(width // columns, axis=1)  # (H, W)
    return np.where(pixels[..., None], np.array(HIDDEN_COLOUR, np.uint8), image)


def enlarge(image: np.ndarray) -> np.ndarray:
    """Enlarge a small photograph so that it looks smooth on a page.

    Args:
        image: Shape (H, W, 3) uint8.

    Returns:
        Shape (f H, f W, 3) uint8, where f >= 1 is the smallest whole number that makes the longer side 192 or more.
    """
    factor = _enlargement(image)
    height, width = image.shape[:2]
    if factor == 1:
        return image
    return np.asarray(Image.fromarray(image).resize((width * factor, height * factor), Image.Resampling.BICUBIC))


def draw_region(region: np.ndarray) -> np.ndarray:
    """Draw a region map: dark outside, bright inside, a prediction's doubt in between.

    Args:
        region: Shape (H, W); bool, or float as the probability in [0, 1] that a pixel belongs to the region. A
            probability gets an outline where it crosses 0.5.

    Returns:
        Shape (f H, f W, 3) uint8, where f is that of `enlarge`.
    """
    factor = _enlargement(region)
    if region.dtype == np.bool_:
        return _ramp(region.repeat(factor, axis=0).repeat(factor, axis=1).astype(np.float32))
    height, width = region.shape
    small = Image.fromarray(region.astype(np.float32))
    # Bilinear, for bicubic overshoots the probabilities.
    probability = np.asarray(small.resize((width * factor, height * factor), Image.Resampling.BILINEAR))
    picture = _ramp(probability)
    picture[_outline(probability >= 0.5)] = OUTLINE_COLOUR
    return picture


def png_data_uri(image: np.ndarray) -> str:
    """Write an image as a PNG inside a `data:` URI, losslessly.

    Args:
        image: Shape (H, W, 3) uint8.

    Returns:
        The URI, `data:image/png;base64,` and the file.
    """
    codes = image.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)  # (H, W)
    colours, places = np.unique(codes, return_inverse=True)
    if colours.size <= 256:  # region maps: a palette makes the file a third as large
        picture = Image.fromarray(places.reshape(codes.shape).astype(np.uint8), mode="P")
        picture.putpalette(
            np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8).tobytes()
        )
    else:
        picture = Image.fromarray(image)
    file = io.BytesIO()
    picture.save(file, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def jpeg_data_uri(image: np.ndarray) -> str:
    """Write an image as a JPEG inside a `data:` URI: a photograph in about a fifth of a PNG's bytes.

    Args:
        image: Shape (H, W, 3) uint8.

    Returns:
        The URI, `data:image/jpeg;base64,` and the file.
    """
    file = io.BytesIO()
    # Colours at full resolution, for else they bleed over thin lines.
    Image.fromarray(image).save(file, format="jpeg", quality=80, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def css_colour(colour: tuple[int, int, int]) -> str:
    """Write a colour as a style sheet does, for instance `#80838a`."""
    return "#" + bytes(colour).hex()


def nearest_edge(place: float, size: int) -> int:
    """The edge of pixels next to a place along a picture's side, in the picture.

    Args:
        place: In pixels; may lie outside the picture.
        size: Length of that side in pixels.

    Returns:
        From 0, before the first pixel, to `size`, behind the last one.
    """
    return min(max(0, round(place)), size)


def _resize_channel(channel: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    height, width = size_hw
    picture = Image.fromarray(channel if channel.dtype == np.uint8 else channel.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC), np.float32)


def _enlargement(image: np.ndarray) -> int:
    return -(-_COMFORTABLE_SIDE // max(image.shape[:2]))


def _ramp(probability: np.ndarray) -> np.ndarray:
    steps = np.rint(np.clip(probability, 0, 1) * _RAMP_STEPS).astype(np.intp)
    positions = np.linspace(0, 1, _RAMP_STEPS + 1)
    stops = np.linspace(0, 1, len(REGION_RAMP))
    channels = [np.interp(positions, stops, values) for values in zip(*REGION_RAMP, strict=True)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)[steps]  # (H, W, 3)


def _outline(inside: np.ndarray) -> np.ndarray:
    # The image's own border is no crossing, so the padding repeats it.
    padded = np.pad(inside, 1, mode="edge")
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside & ~surrounded
