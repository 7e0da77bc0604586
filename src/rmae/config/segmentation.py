"""Semantic segmentation as a downstream task."""

from dataclasses import dataclass, field

from rmae.config.checks import check_values, require
from rmae.config.encoder import EncoderConfig
from rmae.config.optimizer import OptimizerConfig
from rmae.config.reading import ReadingConfig
from rmae.config.run import RunConfig

_UPDATES = 160_000


def _optimizer() -> OptimizerConfig:
    return OptimizerConfig(
        epochs=None,
        updates=_UPDATES,
        batch_size=16,
        base_lr=1.6e-3,
        warmup=1500 / _UPDATES,
        weight_decay=0.05,
        betas=(0.9, 0.999),
    )


@dataclass(frozen=True, kw_only=True)
class SegmentConfig:
    """Semantic segmentation: UperNet is put on the encoder, and both are trained on labelled pictures.

    Source of the defaults: mmsegmentation's recipe for MAE's ViT-B on ADE20K.
    """

    encoder: EncoderConfig = field(default_factory=lambda: EncoderConfig(img_size=512))
    ignore_label: int | None = 0
    """Label of pixels without a class in ADE20K's layout, beside the 255 of PNGs; None = 255 alone.
    Labels above it move down by one: with 0, as in ADE20K, label 1 is the first class."""
    head_channels: int = 768
    """Width of UperNet's head."""
    auxiliary_channels: int = 256
    """Width of the auxiliary head."""
    auxiliary_weight: float = 0.4
    """Weight of the auxiliary head's loss, >= 0."""
    head_dropout: float = 0.1
    """Probability in [0, 1) of leaving out a channel before the classifiers."""
    scale_range: tuple[float, float] = (0.5, 2.0)
    """Smallest and largest size at which a training picture is cut, above 0: at 1 it just covers the crop."""
    max_class_share: float = 0.75
    """Share of a training crop in (0, 1] that one class may cover; other crops are tried, but not for ever."""
    flip: float = 0.5
    """Probability in [0, 1] of mirroring a training crop left to right."""
    color_jitter: float = 1.0
    """Strength in [0, 1] of the jitter of brightness, contrast, saturation and hue, each of half of the samples."""
    test_short_side: int | None = None
    """Pixels of the shorter side of pictures that are evaluated; None = that of img_size.
    Long strips get fewer, so that the longer side has at most four times as many."""
    test_stride: float = 1 / 2
    """Step of the window that is slid over a picture, as a share of the window, in (0, 1]."""
    test_batch_size: int = 4
    """Windows that are looked at together, >= 1: a matter of memory alone."""
    evaluate_every: int | None = None
    """Updates between two evaluations while training; None = at the end alone."""
    num_examples: int = 8
    """Pictures in the report, >= 0, spread over those for validation."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    optimizer: OptimizerConfig = field(default_factory=_optimizer)
    run: RunConfig = field(default_factory=RunConfig)

    @property
    def short_side(self) -> int:
        """Pixels of the shorter side of pictures that are evaluated."""
        return min(self.encoder.image_hw) if self.test_short_side is None else self.test_short_side

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        label = self.ignore_label
        require(label is None or label >= 0, f"ignore_label is {label}; it must be at least 0, or None")
        for name in ("head_channels", "auxiliary_channels", "test_short_side", "test_batch_size", "evaluate_every"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name} is {value}; it must be at least 1")
        for name in ("auxiliary_weight", "num_examples"):
            value = getattr(self, name)
            require(value >= 0, f"{name} is {value}; it must be at least 0")
        low, high = self.scale_range
        require(0 < low <= high, f"scale_range is {low} to {high}; it must run from above 0 to no less")
        for name in ("max_class_share", "test_stride"):
            value = getattr(self, name)
            require(0 < value <= 1, f"{name} is {value}; it is a share in (0, 1]")
        for name in ("flip", "color_jitter"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"{name} is {value}; it must lie in [0, 1]")
        require(0 <= self.head_dropout < 1, f"head_dropout is {self.head_dropout}; it is a probability in [0, 1)")
