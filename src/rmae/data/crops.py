"""Crops: one rectangle for the image and its regions."""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


class Crop(NamedTuple):
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int
    flip: bool
    """Whether the rectangle is mirrored left to right."""

    def on_grid(self, step: int, image_hw: tuple[int, int]) -> "Crop":
        """Move each edge to the nearest multiple of a step.

        Args:
            step: In pixels, at least 1; the rectangle is no smaller.
            image_hw: Height and width of the image, inside which the rectangle stays.
        """
        top, height = _on_grid(self.top, self.height, step, image_hw[0])
        left, width = _on_grid(self.left, self.width, step, image_hw[1])
        return Crop(top, left, height, width, self.flip)

    def reduced(self, step: int) -> "Crop":
        """The same rectangle in the image at 1 / step of its size; its edges are multiples of the step."""
        return Crop(self.top // step, self.left // step, self.height // step, self.width // step, self.flip)


def _on_grid(start: int, length: int, step: int, limit: int) -> tuple[int, int]:
    end = min(round((start + length) / step), limit // step) * step
    start = min(round(start / step) * step, end - step)
    return start, end - start


def random_crop(
    height: int,
    width: int,
    *,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    flip: float,
    generator: np.random.Generator,
) -> Crop:
    """Draw a crop: area uniform in its range, aspect ratio uniform in its logarithm, place uniform.

    Args:
        height: Height of the image in pixels, at least 1.
        width: Width of the image in pixels, at least 1.
        scale: Smallest and largest share of the image's area, in (0, 1].
        ratio: Smallest and largest width over height.
        flip: Probability of mirroring, in [0, 1].
        generator: Where the randomness comes from.

    Returns:
        A crop inside the image. Where none of ten draws fits, the largest central one whose ratio is in range.

    Source:
        pytorch/vision, `transforms.RandomResizedCrop`.
    """
    mirrored = bool(generator.random() < flip)
    for _ in range(10):
        area = height * width * generator.uniform(*scale)
        aspect = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
        crop_width, crop_height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < crop_width <= width and 0 < crop_height <= height:
            top = int(generator.integers(height - crop_height + 1))
            left = int(generator.integers(width - crop_width + 1))
            return Crop(top, left, crop_height, crop_width, mirrored)
    aspect = min(max(width / height, ratio[0]), ratio[1])
    return centre_crop(height, width, aspect=aspect)._replace(flip=mirrored)


def centre_crop(height: int, width: int, *, aspect: float) -> Crop:
    """Take the largest central crop of an aspect ratio.

    Args:
        height: Height of the image in pixels, at least 1.
        width: Width of the image in pixels, at least 1.
        aspect: Width over height of the crop, above 0; met to the nearest pixel.

    Returns:
        A crop with the image's height or width, not mirrored.
    """
    crop_width = max(1, min(width, round(height * aspect)))
    crop_height = max(1, min(height, round(width / aspect)))
    return Crop((height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width, False)


def crop_image(image: np.ndarray, crop: Crop, size_hw: tuple[int, int]) -> np.ndarray:
    """Cut a crop out of an image and resize it, bicubic with antialias.

    Args:
        image: Shape (H, W, M), uint8 or uint16.
        crop: A rectangle inside the image.
        size_hw: Height h and width w of the result in pixels.

    Returns:
        Shape (M, h, w), same dtype. Only pixels inside the crop are looked at.
    """
    import torch  # here alone, so that making regions starts without it

    window = image[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    if image.dtype == np.uint8:
        # A channels-last view of the copied rows is what torch's fast path for bytes takes.
        pixels = torch.from_numpy(np.array(window, order="C"))
        resized = _resize(pixels, size_hw)
    else:
        pixels = torch.from_numpy(window.astype(np.float32))
        resized = _resize(pixels, size_hw).round_().clamp_(0, np.iinfo(image.dtype).max)
    return (resized.flip(2) if crop.flip else resized).numpy().astype(image.dtype, copy=False)


def _resize(image_hwc: "Tensor", size_hw: tuple[int, int]) -> "Tensor":
    """Resize (H, W, M) to (M, h, w)."""
    from torch.nn.functional import interpolate

    batch = image_hwc.permute(2, 0, 1).unsqueeze(0)
    return interpolate(batch, size=size_hw, mode="bicubic", align_corners=False, antialias=True)[0]


def sample_positions(crop: Crop, size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Find the pixels whose labels a resized crop takes: those in which the centres of its pixels lie.

    Args:
        crop: A rectangle inside the image; its flip is left to the caller.
        size_hw: Height h and width w of the result in pixels.

    Returns:
        Rows, shape (h,), and columns, shape (w,) int64, both ascending: `label_maps[:, rows[:, None], columns]`.

    Source:
        The rule of `nearest-exact` in `torch.nn.functional.interpolate`, in integers and so exact for every size.
    """
    return crop.top + _nearest(crop.height, size_hw[0]), crop.left + _nearest(crop.width, size_hw[1])


def _nearest(size: int, new_size: int) -> np.ndarray:
    """Index of the old pixel in which each new pixel's centre lies: floor((i + 1/2) size / new_size)."""
    return (2 * np.arange(new_size) + 1) * size // (2 * new_size)
