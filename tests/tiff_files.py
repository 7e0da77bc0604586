"""TIFF files of several bands, and their pixels read back."""

from pathlib import Path

import numpy as np
import tifffile

from rmae.data.images import read_image


def read(path: Path, channels: int, max_pixels: int = 10_000) -> np.ndarray:
    return read_image(path, channels=channels, max_pixels=max_pixels)


def noise(num_bands: int, dtype: type = np.uint16) -> np.ndarray:
    """Bands last, shape (20, 30, num_bands); neither side is a whole number of tiles."""
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (20, 30, num_bands), dtype=dtype, endpoint=True)


def write(path: Path, pixels: np.ndarray, **options) -> Path:
    """Write bands last, or one without that axis, as one page of interleaved samples if nothing else is said."""
    if pixels.ndim == 2:
        options["planarconfig"] = None
    tifffile.imwrite(path, pixels, **({"photometric": "minisblack", "planarconfig": "contig"} | options))
    return path


def write_pages(path: Path, pixels: np.ndarray, **options) -> Path:
    """Write bands last, a page for each."""
    tifffile.imwrite(path, bands_first(pixels), **({"photometric": "minisblack"} | options))
    return path


def bands_first(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
