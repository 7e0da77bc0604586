"""Every knob of a pre-training run, with units, ranges and checks. Free of torch."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from rmae.config_checks import check_values, check_width, require
from rmae.ops.grid import grid_shape, num_visible_patches
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.live import Live
from rmae.regions.sources import NamedSource
from rmae.regions.stored import Stored


class EncoderShape(NamedTuple):
    """Dimensions of a Vision Transformer."""

    embed_dim: int
    depth: int
    num_heads: int


ENCODER_SHAPES = {
    "micro": EncoderShape(128, 4, 4),
    "tiny": EncoderShape(192, 12, 3),
    "small": EncoderShape(384, 12, 6),
    "base": EncoderShape(768, 12, 12),
    "large": EncoderShape(1024, 24, 16),
    "huge": EncoderShape(1280, 32, 16),
}
"""The sizes that `ModelConfig.size` names."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The model."""

    task: Literal["mae", "rae", "rmae"] = "rmae"
    """What is reconstructed: mae = pixels, rae = regions, rmae = both."""
    img_size: int | tuple[int, int] = 224
    """Side, or height and width, of the training crop in pixels; divisible by patch_size."""
    patch_size: int = 16
    """Side of a patch in pixels."""
    channels: int = 3
    """Channels of an image. Image files are read as 3 = RGB, 1 = grey or 4 = RGB and alpha; a model can have any."""
    mask_ratio: float = 0.75
    """Share of the patches to hide, in (0, 1), with at least one patch visible and one hidden."""
    region_mask_ratio: float | None = None
    """Share of each region map's patches to hide; None = the same as mask_ratio."""
    size: Literal["micro", "tiny", "small", "base", "large", "huge"] = "base"
    """Pixel encoder, sized as ViT-Ti, S, B, L or H; micro is for trying things out."""
    embed_dim: int | None = None
    """Width of the pixel encoder, divisible by 4 and by num_heads; None = as size says."""
    depth: int | None = None
    """Blocks of the pixel encoder; None = as size says."""
    num_heads: int | None = None
    """Attention heads of the pixel encoder; None = as size says."""
    mlp_ratio: float = 4.0
    """Hidden width of every MLP over the width of its block."""
    decoder_embed_dim: int = 512
    """Width of the pixel decoder, divisible by 4 and by decoder_num_heads."""
    decoder_depth: int = 8
    """Blocks of the pixel decoder."""
    decoder_num_heads: int = 16
    """Attention heads of the pixel decoder."""
    region_embed_dim: int = 128
    """Width of the region branch, divisible by 4 and by both of its numbers of heads."""
    region_encoder_depth: int = 1
    """Blocks of the region encoder."""
    region_encoder_num_heads: int = 8
    """Attention heads of the region encoder."""
    neck_depth: int = 1
    """Blocks of the neck, which prepares the pixel encoder's output for the region decoder (reference code: 8)."""
    region_decoder_depth: int = 1
    """Blocks of the region decoder, the expanding one included."""
    region_decoder_num_heads: int = 8
    """Attention heads of the neck and of the region decoder."""

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height and width of the training crop in pixels."""
        return (self.img_size, self.img_size) if isinstance(self.img_size, int) else self.img_size

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return grid_shape(self.image_hw, self.patch_size)

    @property
    def encoder_shape(self) -> EncoderShape:
        """Dimensions of the pixel encoder, `size` with what overrides it."""
        named = ENCODER_SHAPES[self.size]
        return EncoderShape(
            self.embed_dim or named.embed_dim, self.depth or named.depth, self.num_heads or named.num_heads
        )

    @property
    def num_visible(self) -> int:
        """Patches of an image that stay visible, K."""
        return num_visible_patches(math.prod(self.grid), self.mask_ratio)

    @property
    def region_num_visible(self) -> int:
        """Patches of a region map that stay visible."""
        ratio = self.mask_ratio if self.region_mask_ratio is None else self.region_mask_ratio
        return num_visible_patches(math.prod(self.grid), ratio)

    @property
    def has_pixel_decoder(self) -> bool:
        """Whether pixels are reconstructed."""
        return self.task != "rae"

    @property
    def has_region_branch(self) -> bool:
        """Whether regions are reconstructed."""
        return self.task != "mae"

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        for name in _POSITIVE_MODEL_FIELDS:
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name} is {value}; it must be at least 1")
        require(self.mlp_ratio > 0, f"mlp_ratio is {self.mlp_ratio}; it must be above 0")
        self._check_image_size()
        self._check_ratio("mask_ratio", self.mask_ratio)
        if self.region_mask_ratio is not None:
            self._check_ratio("region_mask_ratio", self.region_mask_ratio)
        encoder = self.encoder_shape
        check_width("embed_dim", encoder.embed_dim, num_heads=encoder.num_heads)
        check_width("decoder_embed_dim", self.decoder_embed_dim, decoder_num_heads=self.decoder_num_heads)
        check_width(
            "region_embed_dim",
            self.region_embed_dim,
            region_encoder_num_heads=self.region_encoder_num_heads,
            region_decoder_num_heads=self.region_decoder_num_heads,
        )

    def _check_image_size(self) -> None:
        size = self.img_size
        require(isinstance(size, int) or len(size) == 2, f"img_size is {size}; give one side, or height and width")
        for side in self.image_hw:
            require(side >= 1, f"img_size is {size}; every side must be at least 1 pixel")
            below = side // self.patch_size * self.patch_size
            nearest = " or ".join(str(s) for s in (below, below + self.patch_size) if s > 0)
            require(
                side % self.patch_size == 0,
                f"img_size {side} is not divisible by patch_size {self.patch_size}; the nearest that are: {nearest}",
            )

    def _check_ratio(self, name: str, ratio: float) -> None:
        require(0 < ratio < 1, f"{name} is {ratio}; it must lie between 0 and 1, both excluded")
        num_patches = math.prod(self.grid)
        visible = num_visible_patches(num_patches, ratio)
        which = "visible" if visible == 0 else "hidden"
        require(
            0 < visible < num_patches,
            f"with {name} {ratio} none of the {num_patches} patches is {which}; at least one must be: "
            "change the ratio, or take a larger img_size or a smaller patch_size",
        )


_POSITIVE_MODEL_FIELDS = (
    "patch_size", "channels", "embed_dim", "depth", "num_heads", "decoder_embed_dim", "decoder_depth",
    "decoder_num_heads", "region_embed_dim", "region_encoder_depth", "region_encoder_num_heads", "neck_depth",
    "region_decoder_depth", "region_decoder_num_heads",
)  # fmt: skip


_PILLOW_LIMIT = 178_956_970  # pixels above which Pillow takes an image for a decompression bomb


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
    regions: NamedSource | Live | Stored | Callable[[np.ndarray, str], np.ndarray] | None = field(
        default_factory=Felzenszwalb
    )
    """Where regions come from: a source with its flags, as in 'slic --num-segments 50'; none where the task is mae.
    There are coco-instances, coco-panoptic, felzenszwalb, grid, random-masks, sam, sam-json, slic and stored.
    Write 'slic --help' for the flags of slic, and 'live slic' to make regions anew each time and store nothing."""
    region_store: str | None = None
    """File to keep regions in; those it lacks are made first.
    None = one in a folder regions beside the run's, which other runs there share."""
    num_regions: int = 8
    """Regions drawn for each image, R, at least 1."""
    region_draw: Literal["uniform", "region_visible"] = "uniform"
    """Regions to draw from: uniform = all in the crop; region_visible = those that touch a visible patch."""
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
            self.region_store is None or not isinstance(self.regions, Live | Stored),
            f"region_store is {self.region_store}, but live and stored regions are kept in none; leave out one of them",
        )
        require(self.num_regions >= 1, f"num_regions is {self.num_regions}; it must be at least 1")
        low, high = self.region_area
        require(0 <= low <= high <= 1, f"region_area is {low} to {high}; it must run from at least 0 to at most 1")
        require(
            1 <= self.max_pixels <= _PILLOW_LIMIT,
            f"max_pixels is {self.max_pixels}; it must be at least 1 and at most {_PILLOW_LIMIT}, where Pillow refuses",
        )
        require(0 <= self.max_bad_share <= 1, f"max_bad_share is {self.max_bad_share}; it must lie in [0, 1]")
        workers = self.num_workers
        require(workers is None or workers >= 0, f"num_workers is {workers}; it must be at least 0, or None")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """The losses."""

    normalize_pixels: bool = True
    """Compare pixels after normalising each patch by its own mean and variance."""
    pixel_weight: float = 1.0
    """Weight of the pixel loss, >= 0."""
    region_weight: float = 1.0
    """Weight of the region loss, >= 0."""
    background_weight: float = 1.0
    """Weight in the region loss of pixels outside the region, >= 0."""
    region_loss: Literal["bce", "l2"] = "bce"
    """Region loss: binary cross-entropy, or squared error of the probability."""

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        for name in ("pixel_weight", "region_weight", "background_weight"):
            value = getattr(self, name)
            require(value >= 0, f"{name} is {value}; it must be at least 0")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW and its schedule: linear warm-up, then half a cosine to 0, set at every update."""

    epochs: float | None = 800
    """Length of the run in passes over the images; None where updates is given."""
    updates: int | None = None
    """Length of the run in updates of the weights; None where epochs is given."""
    batch_size: int = 4096
    """Images in an update, over all devices and accumulated steps."""
    accumulate: int = 1
    """Steps whose gradients are added up for one update; batch_size must be divisible by it."""
    base_lr: float = 1e-4
    """Learning rate for each 256 images of batch_size, > 0."""
    warmup: float = 1 / 20
    """Share of the updates in which the learning rate rises from 0, in [0, 1)."""
    weight_decay: float = 0.05
    """Decoupled weight decay, >= 0; none on norms and biases."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Decay of AdamW's two moments, each in [0, 1)."""
    clip_grad: float | None = None
    """Largest norm of the gradient, > 0; None = no clipping."""

    @property
    def lr(self) -> float:
        """Peak learning rate: base_lr times batch_size over 256."""
        return self.base_lr * self.batch_size / 256

    def num_updates(self, num_samples: int) -> int:
        """Length of the run in updates, for a number of samples in one epoch."""
        if self.updates is not None:
            return self.updates
        assert self.epochs is not None
        return math.ceil(self.epochs * num_samples / self.batch_size)

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        require(
            (self.epochs is None) != (self.updates is None),
            f"epochs is {self.epochs} and updates is {self.updates}; give one of them and None for the other, as in "
            "--updates None",
        )
        require(self.epochs is None or self.epochs > 0, f"epochs is {self.epochs}; it must be above 0")
        require(self.updates is None or self.updates >= 1, f"updates is {self.updates}; it must be at least 1")
        require(self.batch_size >= 1, f"batch_size is {self.batch_size}; it must be at least 1")
        require(
            self.accumulate >= 1 and self.batch_size % self.accumulate == 0,
            f"batch_size {self.batch_size} cannot be split into accumulate {self.accumulate} equal steps",
        )
        require(self.base_lr > 0, f"base_lr is {self.base_lr}; it must be above 0")
        require(0 <= self.warmup < 1, f"warmup is {self.warmup}; it is a share of the updates in [0, 1)")
        require(self.weight_decay >= 0, f"weight_decay is {self.weight_decay}; it must be at least 0")
        require(all(0 <= beta < 1 for beta in self.betas), f"betas are {self.betas}; each must lie in [0, 1)")
        clip = self.clip_grad
        require(clip is None or clip > 0, f"clip_grad is {clip}; it must be above 0, or None")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The machine, and what is written how often."""

    seed: int = 0
    """Seed of everything random, >= 0. The same seed gives the same batches with any number of workers."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Device to train on."""
    num_threads: int | None = None
    """Threads of the arithmetic on a CPU; None = as torch chooses. Leave cores to the workers."""
    precision: Literal["float32", "bf16"] = "float32"
    """Arithmetic of the model; weights, losses and optimiser are float32 in any case."""
    compile: bool = False
    """Compile the model with torch.compile."""
    log_every: int = 20
    """Updates between two lines of metrics."""
    checkpoint_every: int = 1000
    """Updates between two checkpoints."""
    keep_newest: int = 2
    """Checkpoints kept; older ones are deleted."""
    keep_every: int | None = None
    """Every how many updates a checkpoint is kept for good, a multiple of checkpoint_every; None = none."""

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        require(self.seed >= 0, f"seed is {self.seed}; it must be at least 0")
        for name in ("num_threads", "log_every", "checkpoint_every", "keep_newest"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name} is {value}; it must be at least 1")
        every = self.keep_every
        require(
            every is None or (every >= 1 and every % self.checkpoint_every == 0),
            f"keep_every is {every}; it must be a multiple of checkpoint_every {self.checkpoint_every}, or None",
        )


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
