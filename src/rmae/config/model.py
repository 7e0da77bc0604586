"""The model and its task."""

import math
from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple

from rmae.config.checks import check_values, check_width, require
from rmae.ops.grid import grid_shape, num_visible_patches


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
    """The model, and what is hidden from it."""

    task: Literal["mae", "rae", "rmae"] = "rmae"
    """What is reconstructed: mae = pixels, rae = regions, rmae = both."""
    region_variant: Literal["length", "batch", "channel"] = "length"
    """What a region is to the decoder: length = a token, batch = a sample, channel = a channel.
    With length and batch the order of the regions does not matter; batch costs as much for each of them.
    With channel, the cheapest for many regions, it does."""
    feeding: Literal["pixel_to_region", "region_to_pixel", "both", "none"] = "pixel_to_region"
    """Which branch sees what the other encoded.
    With pixel_to_region, regions are completed with the help of the pixels.
    With region_to_pixel, pixels are with the help of the regions, in the length variant and the task rmae alone."""
    num_regions: int = 8
    """Regions drawn for each image, R, at least 1; a model of the channel variant takes no other number."""
    img_size: int | tuple[int, int] = 224
    """Side, or height and width, of the training crop in pixels; divisible by patch_size."""
    patch_size: int = 16
    """Side of a patch in pixels."""
    channels: int = 3
    """Channels of an image. Image files are read as 3 = RGB, 1 = grey, 4 = RGB and alpha, others from TIFF alone."""
    mask_ratio: float = 0.75
    """Share of the patches to hide, in (0, 1), with at least one patch visible and one hidden."""
    region_mask_ratio: float | None = None
    """Share of each region map's patches to hide; None = the same as mask_ratio."""
    shared_mask: bool = True
    """Hide the same patches of an image and of its regions, or the same ones first where the ratios differ.
    Otherwise the regions have a mask of their own."""
    masking: Literal["uniform", "region_visible", "region_biased"] = "uniform"
    """How patches are hidden: uniform = at random, region_visible = the same, region_biased = whole regions first.
    With region_visible, only regions that touch a visible patch are drawn.
    With region_biased, regions are hidden one after the other until the ratio is met, the last one perhaps in part."""
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
    """Blocks of the region decoder; in the length variant, the expanding one included."""
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

    @property
    def pixels_feed_regions(self) -> bool:
        """Whether regions are completed from the encoded pixels."""
        return self.has_region_branch and self.feeding in ("pixel_to_region", "both")

    @property
    def regions_feed_pixels(self) -> bool:
        """Whether pixels are reconstructed from the encoded regions."""
        return self.feeding in ("region_to_pixel", "both")

    def without_regions(self) -> "ModelConfig":
        """The MAE that this model extends: the same pixels, patches, encoder and pixel decoder."""
        defaults = {knob.name: knob.default for knob in fields(self) if knob.name in _REGION_FIELDS}
        return replace(self, **(defaults | {"task": "mae"}))

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        for name in _POSITIVE_MODEL_FIELDS:
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name} is {value}; it must be at least 1")
            most = MOST_BLOCKS if name.endswith("depth") else _MOST
            require(value is None or value <= most, f"{name} is {value}; it must be at most {most:,}")
        allowed = f"above 0, and at most {_MOST_MLP_RATIO:,}"
        require(0 < self.mlp_ratio <= _MOST_MLP_RATIO, f"mlp_ratio is {self.mlp_ratio}; it must be {allowed}")
        self._check_task()
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

    def _check_task(self) -> None:
        """Check that the choices go together."""
        require(
            not self.regions_feed_pixels or self.task == "rmae",
            f"feeding is {self.feeding}, which needs pixels and regions, but the task is {self.task}; take the task "
            "rmae, or feeding pixel_to_region",
        )
        require(
            not self.regions_feed_pixels or self.region_variant == "length",
            f"feeding is {self.feeding}, but region_variant {self.region_variant} has no tokens of regions "
            "that pixels could see; take region_variant length, or feeding pixel_to_region or none",
        )
        require(
            self.task != "rae" or self.feeding != "none",
            "the task is rae and feeding is none, so that nothing would train the pixel encoder; take feeding "
            "pixel_to_region, or the task rmae",
        )
        require(
            self.task != "mae" or self.masking == "uniform",
            f"masking is {self.masking}, but the task mae has no regions; take masking uniform, or the task rmae",
        )
        require(
            self.task != "mae" or self.shared_mask,
            "shared_mask is off, but the task mae has one mask only; leave it on, or take the task rmae",
        )

    def _check_image_size(self) -> None:
        size = self.img_size
        require(isinstance(size, int) or len(size) == 2, f"img_size is {size}; give one side, or height and width")
        for side in self.image_hw:
            require(side >= 1, f"img_size is {size}; every side must be at least 1 pixel")
            require(side <= _LARGEST_SIDE, f"img_size is {size}; no side may exceed {_LARGEST_SIDE:,} pixels")
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


MOST_BLOCKS, _MOST_MLP_RATIO, _MOST, _LARGEST_SIDE = 200, 1000, 4_000_000, 100_000
"""Far beyond what anybody trains, so that nobody waits for a network that a damaged file describes."""

_REGION_FIELDS = (
    "region_variant", "feeding", "num_regions", "region_mask_ratio", "shared_mask", "masking", "region_embed_dim",
    "region_encoder_depth", "region_encoder_num_heads", "neck_depth", "region_decoder_depth",
    "region_decoder_num_heads",
)  # fmt: skip
"""What a model without regions does not have."""

_POSITIVE_MODEL_FIELDS = (
    "num_regions", "patch_size", "channels", "embed_dim", "depth", "num_heads", "decoder_embed_dim", "decoder_depth",
    "decoder_num_heads", "region_embed_dim", "region_encoder_depth", "region_encoder_num_heads", "neck_depth",
    "region_decoder_depth", "region_decoder_num_heads",
)  # fmt: skip
