"""The losses."""

from dataclasses import dataclass
from typing import Literal

from rmae.config.checks import check_values, require


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """The losses."""

    normalize_pixels: bool = True
    """Compare pixels after normalising each patch by its own mean and variance."""
    pixel_weight: float = 1.0
    """Weight of the pixel loss, >= 0. With 0 pixels are predicted all the same; the task rae saves that."""
    region_weight: float = 1.0
    """Weight of the region loss, >= 0. With 0 regions are predicted all the same; the task mae saves that."""
    background_weight: float = 1.0
    """Weight in the region loss of pixels outside the region, >= 0."""
    balance_area: bool = False
    """Let the pixels inside and outside of a region count for half of its loss each, whatever its area.
    The weight of the background comes on top."""
    region_loss: Literal["bce", "l2"] = "bce"
    """Region loss: binary cross-entropy, or squared error of the probability."""

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        for name in ("pixel_weight", "region_weight", "background_weight"):
            value = getattr(self, name)
            require(value >= 0, f"{name} is {value}; it must be at least 0")
