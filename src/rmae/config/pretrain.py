"""A whole pre-training run, and what concerns more than one of its parts."""

from dataclasses import dataclass, field

from rmae.config.checks import require
from rmae.config.data import DataConfig
from rmae.config.loss import LossConfig
from rmae.config.model import ModelConfig
from rmae.config.optimizer import OptimizerConfig
from rmae.config.run import RunConfig


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """A whole pre-training run."""

    name: str = "custom"
    """Name of the run; its folder is called after it where none is given."""
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        """Check what concerns more than one part."""
        require(
            not self.loss.normalize_pixels or self.model.patch_size**2 * self.model.channels > 1,
            "a patch of one value has no variance to normalise by; take a larger patch_size, or no normalize_pixels",
        )
        pixels_train = self.model.has_pixel_decoder and self.loss.pixel_weight > 0
        regions_train = self.model.pixels_feed_regions and self.loss.region_weight > 0
        require(
            pixels_train or regions_train,
            f"with the task {self.model.task}, feeding {self.model.feeding}, pixel_weight {self.loss.pixel_weight} and "
            f"region_weight {self.loss.region_weight} no loss would train the pixel encoder; raise a weight",
        )
        require(
            not self.model.has_region_branch or self.data.regions is not None,
            f"the task is {self.model.task} but regions is None; name a source of regions, or take the task mae",
        )
        num_means = len(self.data.pixel_mean)
        require(
            self.data.measure_statistics or num_means == self.model.channels,
            f"channels is {self.model.channels} but pixel_mean has {num_means} value(s); give one mean and "
            "one standard deviation per channel (--pixel-mean, --pixel-std), or have them measured "
            "(--measure-statistics)",
        )
