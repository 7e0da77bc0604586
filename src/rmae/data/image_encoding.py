"""Images as encoded bytes again, each in the plainest format that keeps what it has."""

import io

import numpy as np
from PIL import Image

_MAX_JPEG_SIDE = 65_500  # pixels, where libjpeg ends


def encode_image(image: np.ndarray, *, quality: int) -> tuple[bytes, str]:
    """Encode an image.

    Args:
        image: Shape (H, W, M), uint8 or uint16.
        quality: Of a JPEG, 1 to 95.

    Returns:
        The bytes, and the suffix that tells their format: `jpg` for 8-bit grey and RGB (baseline, which decodes
        fastest), `png` for 8-bit RGB with alpha, for 16-bit grey and where a side is too long for a JPEG, `tif`
        (deflated) for everything else; only the first loses anything.

    Raises:
        ValueError: The image needs a TIFF, and tifffile is not installed.
    """
    file = io.BytesIO()
    match image.dtype, image.shape[2]:
        case np.uint8, 1 | 3 if max(image.shape[:2]) <= _MAX_JPEG_SIDE:
            _of_pixels(image).save(file, "JPEG", quality=quality)
            return file.getvalue(), "jpg"
        case (np.uint8, 1 | 3 | 4) | (np.uint16, 1):
            _of_pixels(image).save(file, "PNG", compress_level=4)
            return file.getvalue(), "png"
        case _:
            _write_tiff(file, image)
            return file.getvalue(), "tif"


def _of_pixels(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)


def _write_tiff(file: io.BytesIO, image: np.ndarray) -> None:
    try:
        from tifffile import imwrite
    except ImportError:
        raise ValueError(
            f"images of {image.shape[2]} bands of {image.dtype} are packed as TIFF, which needs tifffile: "
            "pip install 'rmae[bands]'"
        ) from None
    imwrite(file, image, photometric="minisblack", planarconfig="contig", compression="zlib", metadata=None)
