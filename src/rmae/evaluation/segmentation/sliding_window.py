"""Pictures of any size looked at through a window of one size."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

_MAX_VALUES = 2**24  # logits that are enlarged together


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin along one side of a picture, so that they cover it.

    Args:
        length: Of the side, in pixels.
        window: Of the window; where it is longer, one window begins at 0.
        stride: From one window to the next, in pixels, at least 1; the last step is shorter if need be.

    Returns:
        Places in pixels, ascending from 0; the last window ends where the side does.
    """
    last = max(0, length - window)
    return [*range(0, last, stride), last]


def slide(
    images: Tensor,
    predict: Callable[[Tensor], Tensor],
    *,
    window_hw: tuple[int, int],
    stride: float,
    batch_size: int,
    padding: Tensor,
) -> Tensor:
    """Predict a picture window by window, and average where windows overlap.

    Args:
        images: One picture, shape (3, H, W).
        predict: From windows (B, 3, h, w) to logits (B, C, h, w).
        window_hw: Height h and width w of the window.
        stride: Step of the window as a share of it, in (0, 1].
        batch_size: Windows that are predicted together, at most.
        padding: What stands right of and below a picture that is smaller than the window; shape (3, 1, 1).

    Returns:
        Logits, shape (C, H, W).
    """
    height, width = images.shape[-2:]
    size_hw = tuple(max(sides) for sides in zip((height, width), window_hw, strict=True))
    padded = padding.to(images).expand(-1, *size_hw).clone()
    padded[:, :height, :width] = images
    tops, lefts = (
        window_starts(length, window, max(1, int(stride * window)))
        for length, window in zip(size_hw, window_hw, strict=True)
    )
    places = [(slice(top, top + window_hw[0]), slice(left, left + window_hw[1])) for top in tops for left in lefts]
    total: Tensor | None = None
    counts = torch.zeros(size_hw, device=images.device)
    for start in range(0, len(places), batch_size):
        chosen = places[start : start + batch_size]
        logits = predict(torch.stack([padded[:, rows, columns] for rows, columns in chosen]))  # (B, C, h, w)
        if total is None:
            total = logits.new_zeros(logits.shape[1], *size_hw)
        for (rows, columns), values in zip(chosen, logits, strict=True):
            total[:, rows, columns] += values
            counts[rows, columns] += 1
    assert total is not None
    return (total / counts)[:, :height, :width]


def classify(logits: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Bring logits to another size, bilinearly, and take the likeliest class of each pixel.

    Args:
        logits: Shape (C, h, w).
        size_hw: Height H and width W.

    Returns:
        Classes, shape (H, W) int64. The enlarged logits of a large picture never exist all at once.
    """
    return torch.cat([strip.argmax(dim=0) for strip in _resized_strips(logits, size_hw)])


def _resized_strips(logits: Tensor, size_hw: tuple[int, int]) -> Iterator[Tensor]:
    """Logits (C, h, w) resized bilinearly to a height and width, in strips (C, rows, W) from top to bottom."""
    num_classes, old_height, _ = logits.shape
    height, width = size_hw
    # Where the centre of each new row lies among the old ones, as `interpolate` has it without align_corners.
    centres = (torch.arange(height, device=logits.device, dtype=torch.float64) + 0.5) * old_height / height - 0.5
    centres = centres.clamp(0, old_height - 1)
    above = centres.long().clamp(max=max(0, old_height - 2))
    below_share = (centres - above).to(logits.dtype).view(-1, 1)
    below = (above + 1).clamp(max=old_height - 1)
    num_rows = max(1, _MAX_VALUES // (num_classes * width))
    for rows in torch.arange(height, device=logits.device).split(num_rows):
        strip = torch.lerp(logits[:, above[rows]], logits[:, below[rows]], below_share[rows])  # (C, rows, w)
        yield functional.interpolate(strip[None], size=(len(rows), width), mode="bilinear", align_corners=False)[0]
