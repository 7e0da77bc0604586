"""Images and their regions."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rmae.config.checks import check_values, require
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.inside import Inside
from rmae.regions.live import Live
from rmae.regions.sources import NamedSource
from rmae.regions.stored import Stored

_PILLOW_LIMIT = 178_956_970  # pixels above which Pillow takes an image for a decompression bomb

AnySource = NamedSource | Inside | Live | Stored | Callable[[np.ndarray, str], np.ndarray] | None
"""Where regions may come from; None = nowhere."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Images and their regions."""

    subsets: tuple[str, ...] = ()
    """Sub-folders of the data to train on; none given = train2017 (COCO), train (ImageNet), or else everything."""
    held_out: int = 8
    """Pictures for the report: from val2017 or val where there is one, or else kept out of training."""
    crops_per_image: int = 1
    """Different crops of each image in one epoch; above 1 for data sets smaller than a batch."""
    crop_scale: tuple[float, float] = (0.2, 1.0)
    """Smallest and largest share of the image's area that a crop covers, in (0, 1]."""
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Smallest and largest width over height of a crop, before it is resized to img_size."""
    flip: float = 0.5
    """Probability in [0, 1] of mirroring a crop left to right."""
    pixel_mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Mean of each channel, full scale = 1; the default is ImageNet's."""
    pixel_std: tuple[float, ...] = (0.229, 0.224, 0.225)
    """Standard deviation of each channel, full scale = 1, above 0; the default is ImageNet's."""
    measure_statistics: bool = False
    """Measure pixel_mean and pixel_std on up to 1,000 of the images first, and use those."""
    regions: AnySource = field(default_factory=Felzenszwalb)
    """Where regions come from: a source with its flags, as in 'slic --num-segments 50'; none where the task is mae.
    There are coco-instances, coco-panoptic, felzenszwalb, grid, inside, random-masks, sam, sam-json, slic and stored.
    Write 'slic --help' for the flags of slic, and 'live slic' to make regions anew each time and store nothing."""
    region_store: str | None = None
    """File to keep regions in; those it lacks are made first.
    None = one in a folder regions beside the run's, which other runs there share."""
    region_area: tuple[float, float] = (0.0, 1.0)
    """Smallest and largest share of the crop's area that a region may cover, in [0, 1]."""
    max_pixels: int = 80_000_000
    """Images with more pixels are skipped as absurdly large."""
    max_bad_share: float = 0.05
    """Training stops when more than this share of the images cannot be read, in [0, 1]; one always may be bad."""
    num_workers: int | None = None
    """Processes that read images; 0 = read in the training process, None = one for each core."""

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        require(self.held_out >= 0, f"held_out is {self.held_out}; it must be at least 0")
        require(self.crops_per_image >= 1, f"crops_per_image is {self.crops_per_image}; it must be at least 1")
        for name, (low, high) in (("crop_scale", self.crop_scale), ("crop_ratio", self.crop_ratio)):
            require(0 < low <= high, f"{name} is {low} to {high}; it must run from above 0 to no less")
        require(
            self.crop_scale[1] <= 1, f"crop_scale ends at {self.crop_scale[1]}; a crop covers at most 1 of the image"
        )
        require(0 <= self.flip <= 1, f"flip is {self.flip}; it is a probability in [0, 1]")
        require(
            len(self.pixel_mean) == len(self.pixel_std),
            f"pixel_mean has {len(self.pixel_mean)} values and pixel_std {len(self.pixel_std)}; give one per channel",
        )
        require(len(self.pixel_mean) > 0, "pixel_mean is empty; give one value per channel")
        require(min(self.pixel_std) > 0, f"pixel_std is {self.pixel_std}; each value must be above 0")
        require(
            self.region_store is None or not isinstance(self.regions, Inside | Live | Stored),
            f"region_store is {self.region_store}, but regions that are live, stored or inside the data are kept in "
            "none; leave out one of them",
        )
        low, high = self.region_area
        require(0 <= low <= high <= 1, f"region_area is {low} to {high}; it must run from at least 0 to at most 1")
        require(
            1 <= self.max_pixels <= _PILLOW_LIMIT,
            f"max_pixels is {self.max_pixels}; it must be at least 1 and at most {_PILLOW_LIMIT}, where Pillow refuses",
        )
        require(0 <= self.max_bad_share <= 1, f"max_bad_share is {self.max_bad_share}; it must lie in [0, 1]")
        workers = self.num_workers
        require(workers is None or workers >= 0, f"num_workers is {workers}; it must be at least 0, or None")
