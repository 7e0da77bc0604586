"""What a visualisation shows."""

import math
from dataclasses import dataclass

from rmae.config.checks import check_values, require
from rmae.config.data import DataConfig


@dataclass(frozen=True, kw_only=True)
class VisualizeConfig:
    """What a visualisation shows of a model."""

    num_images: int = 6
    """Pictures of each folder at most, spread evenly over it."""
    img_size: int | tuple[int, int] | None = None
    """Side, or height and width, in pixels at which the models see the pictures; divisible by their patch sizes.
    None = each as it was trained. Pictures are squeezed to it whole, and shown in their own shape."""
    mask_ratios: tuple[float, ...] = (0.5, 0.75, 0.9)
    """Shares of the patches to hide for reconstructions, in (0, 1); what one hides, every larger one hides as well."""
    region_ratios: tuple[float, ...] = (0.5, 0.75, 0.9)
    """Shares of the patches to hide of region maps, in (0, 1); of the picture the same patches are hidden."""
    whole_picture: bool = False
    """Complete regions with nothing hidden of the picture, as the Segmenter does where a person marks objects.
    In training the same patches are hidden of both."""
    num_regions: int = 3
    """Regions to complete in each picture, at least 1, chosen at random; no two nearly the same."""
    region_area: tuple[float, float] = (0.02, 0.8)
    """Smallest and largest share of the picture that such a region covers, in [0, 1]."""
    normalize_pixels: bool | None = None
    """Whether the models predict pixels normalised patch by patch; None = as their run says, or else yes."""
    queries: tuple[tuple[float, float], ...] = ()
    """Points whose patches' attention is shown: x from the left and y from the top, as shares of the picture.
    None given = patches are chosen that stand for different parts of it."""
    num_queries: int = 4
    """Patches to choose in each picture where no points are given, at least 1."""
    layer: int = -1
    """Block whose attention is shown: from 0 on, or from the end, -1 being the last."""
    max_pixels: int = DataConfig.max_pixels
    """Pictures with more pixels are left out as absurdly large."""
    seed: int = 0
    """Decides which patches are hidden, which regions are shown, and the weights of scratch; >= 0."""

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        for name in ("num_images", "num_regions", "num_queries", "max_pixels"):
            value = getattr(self, name)
            require(value >= 1, f"{name} is {value}; it must be at least 1")
        for name in ("mask_ratios", "region_ratios"):
            for ratio in getattr(self, name):
                require(0 < ratio < 1, f"{name} has {ratio}; each must lie between 0 and 1, both excluded")
        size = self.img_size
        sides = (size, size) if isinstance(size, int) else size
        if sides is not None:
            require(len(sides) == 2, f"img_size is {size}; give one side, or height and width")
            require(min(sides) >= 1, f"img_size is {size}; every side must be at least 1 pixel")
        low, high = self.region_area
        require(0 <= low <= high <= 1, f"region_area is {low} to {high}; it must run from at least 0 to at most 1")
        for point in self.queries:
            inside = len(point) == 2 and all(math.isfinite(share) and 0 <= share <= 1 for share in point)
            require(inside, f"queries has {point}; give x and y of each point as shares of the picture, in [0, 1]")
        require(self.seed >= 0, f"seed is {self.seed}; it must be at least 0")
