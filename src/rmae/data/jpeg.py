"""The fast way from the bytes of a JPEG to its pixels."""

import numpy as np

_COLOURS = {1: "Gray", 3: "YCbCr"}  # by number of channels


def plain_jpeg_size(encoded: bytes, *, channels: int) -> tuple[int, int] | None:
    """Height and width of a JPEG that stands upright and whose pixels need no conversion; None of everything else.

    Args:
        encoded: The whole file.
        channels: Those that are wanted.
    """
    # An orientation would stand in EXIF or in XMP, before the scan of the pixels or of a thumbnail inside them; and
    # libjpeg cannot reduce what has no quantization table.
    header = encoded[: encoded.find(b"\xff\xda")]
    if b"Exif" in header or b"ns.adobe.com" in header or b"\xff\xdb" not in header:
        return None
    import simplejpeg

    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(encoded)
    except ValueError:
        return None
    return (int(height), int(width)) if _COLOURS.get(channels) == colours else None


def decode_jpeg(encoded: bytes, size_hw: tuple[int, int], *, channels: int, reduction: int) -> np.ndarray | None:
    """Decode an ordinary JPEG straight into an array: the pixels that Pillow gives, without its detour over RGBX.

    Args:
        encoded: The whole file.
        size_hw: Its height H and width W as stored.
        channels: 1 of a grey JPEG, 3 of one in colour.
        reduction: 1, 2, 4 or 8.

    Returns:
        Shape (ceil(H / reduction), ceil(W / reduction), channels) uint8, writable; None where anything is unusual or
        damaged, for Pillow to decode, or to say what is the matter.
    """
    import simplejpeg

    height, width = (-(-side // reduction) for side in size_hw)
    try:
        # Of libjpeg's fractions of a size the smallest is taken at which no side is shorter than this.
        pixels = simplejpeg.decode_jpeg(
            encoded, colorspace="RGB" if channels == 3 else "GRAY", min_height=height, min_width=width
        )
    except ValueError:
        return None
    return pixels if pixels.shape == (height, width, channels) else None
