"""Detection and instance segmentation."""

from dataclasses import dataclass, field
from typing import Literal

from rmae.config.checks import check_values, require
from rmae.config.encoder import EncoderConfig
from rmae.config.optimizer import OptimizerConfig
from rmae.config.reading import ReadingConfig
from rmae.config.run import RunConfig

_SCALES = (4.0, 2.0, 1.0, 0.5)


@dataclass(frozen=True, kw_only=True)
class DetectConfig:
    """Find objects with their boxes and masks: ViTDet's Mask R-CNN. The defaults are the paper's for ViT-B on COCO."""

    encoder: EncoderConfig = field(default_factory=lambda: EncoderConfig(img_size=1024, drop_path=0.1, layer_decay=0.7))
    layout: Literal["coco", "lvis"] = "coco"
    """How annotations are named and evaluated: coco = annotations/instances_train2017.json, lvis = lvis_v1_train.json.
    """
    window_size: int = 14
    """Side in patches of the windows inside which most blocks attend; 0 = all blocks attend everywhere."""
    num_global_blocks: int = 4
    """Blocks that attend everywhere all the same, evenly spaced, at least 1."""
    relative_positions: bool = True
    """Attention also learns positions of patches relative to each other, beginning with zeros."""
    pyramid_scales: tuple[float, ...] = _SCALES
    """Resolutions of the pyramid's maps over the encoder's: 4, 2, 1 and 0.5, or a part of these in one piece."""
    pyramid_channels: int = 256
    """Channels of the pyramid's maps and of the convolutions on them."""
    proposal_depth: int = 2
    """Convolutions of the head that proposes boxes."""
    box_depth: int = 4
    """Convolutions of the head that names boxes."""
    box_width: int = 1024
    """Width of its linear layer."""
    mask_depth: int = 4
    """Convolutions of the head that draws masks."""
    anchor_scale: float = 8.0
    """Side of the anchors over the stride of their map, > 0."""
    anchors_sampled: int = 256
    """Anchors of a picture that count in an update."""
    boxes_sampled: int = 512
    """Proposed boxes of a picture that count in an update."""
    proposals_before_nms: int = 2000
    """Proposals of each map that are looked at in training before overlapping ones are removed."""
    proposals_before_nms_eval: int = 1000
    """The same in evaluation."""
    proposals_after_nms: int = 1000
    """Proposals of a picture that are left then."""
    num_detections: int = 100
    """Objects found in a picture at most; 300 for LVIS."""
    score_threshold: float = 0.05
    """Objects of a lower score are left out, in [0, 1); 0.02 for LVIS."""
    nms_threshold: float = 0.5
    """Of two objects of one category whose boxes overlap more, the less sure one is left out; in (0, 1]."""
    jitter: tuple[float, float] = (0.1, 2.0)
    """Smallest and largest size to which a training picture is scaled, over the one that fits img_size."""
    flip: float = 0.5
    """Probability in [0, 1] of mirroring a training picture left to right."""
    repeat_threshold: float | None = None
    """Pictures with a category that a smaller share of the pictures have come more often; 0.001 for LVIS, None = none.
    They come more often by the square root of threshold over share.
    The run gets no longer: epochs count pictures, not how often they come."""
    empty_pictures: bool = False
    """Train on pictures without an object, too."""
    milestones: tuple[float, ...] = (8 / 9, 26 / 27)
    """Shares of the updates after which the learning rate drops to a tenth, each in (0, 1), ascending."""
    eval_batch_size: int = 8
    """Pictures in which objects are looked for at once on each device, in evaluation."""
    num_examples: int = 8
    """Pictures shown in the report, at least 0."""
    evaluate_every: int | None = None
    """Updates between two evaluations while training; None = at the end alone."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(
            epochs=100, batch_size=64, base_lr=4e-4, warmup=250 / 184_375, weight_decay=0.1, betas=(0.9, 0.999)
        )
    )
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        require(self.window_size >= 0, f"window_size is {self.window_size}; it must be at least 0")
        for name in (
            "num_global_blocks", "pyramid_channels", "box_width", "anchors_sampled", "boxes_sampled",
            "proposals_before_nms", "proposals_before_nms_eval", "proposals_after_nms", "num_detections",
            "evaluate_every", "eval_batch_size",
        ):  # fmt: skip
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name} is {value}; it must be at least 1")
        for name in ("proposal_depth", "box_depth", "mask_depth", "num_examples"):
            require(getattr(self, name) >= 0, f"{name} is {getattr(self, name)}; it must be at least 0")
        self._check_scales()
        require(0 <= self.score_threshold < 1, f"score_threshold is {self.score_threshold}; it must lie in [0, 1)")
        require(0 < self.nms_threshold <= 1, f"nms_threshold is {self.nms_threshold}; it must lie in (0, 1]")
        require(0 <= self.flip <= 1, f"flip is {self.flip}; it is a probability in [0, 1]")
        require(
            self.layout != "lvis" or self.num_detections <= 300,
            f"num_detections is {self.num_detections}; with the layout lvis it must be at most 300, for LVIS counts no "
            "more in a picture",
        )
        threshold = self.repeat_threshold
        require(
            threshold is None or 0 < threshold <= 1,
            f"repeat_threshold is {threshold}; it is a share of the pictures in (0, 1], or None",
        )
        steps = self.milestones
        require(
            all(0 < step < 1 for step in steps) and list(steps) == sorted(steps),
            f"milestones are {steps}; they are shares of the updates in (0, 1), ascending",
        )
        require(
            not self.run.compile,
            "compile is on; the detector cannot be compiled, for how much it computes depends on what "
            "it finds, so leave it off",
        )

    def _check_scales(self) -> None:
        scales = self.pyramid_scales
        pieces = [_SCALES[first:last] for first in range(len(_SCALES)) for last in range(first + 1, len(_SCALES) + 1)]
        require(
            tuple(scales) in pieces,
            f"pyramid_scales are {scales}; they must be neighbours in 4, 2, 1, 0.5, in this order",
        )
        require(self.anchor_scale > 0, f"anchor_scale is {self.anchor_scale}; it must be above 0")
        low, high = self.jitter
        require(0 < low <= high, f"jitter is {low} to {high}; it must run from above 0 to no less")
