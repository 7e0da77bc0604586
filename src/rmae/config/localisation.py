"""Where an encoder looks, set against annotated objects."""

from dataclasses import dataclass, field
from typing import Literal

from rmae.config.checks import check_values, require
from rmae.config.encoder import EncoderConfig
from rmae.config.reading import ReadingConfig
from rmae.config.run import RunConfig


@dataclass(frozen=True, kw_only=True)
class LocaliseConfig:
    """Score attention and similarity of features, from a patch inside an object, against its mask; nothing is trained.

    Of `encoder` only the size of the pictures and of `scratch` matter here.
    """

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    layer: int = -1
    """Block whose attention, averaged over its heads, is scored; from 0 on or, negative, from the end.
    The report shows all blocks and heads."""
    min_patch_share: float = 0.5
    """Objects that cover less than this share of their best patch, in (0, 1], are left out: they are too small."""
    against: tuple[str, ...] = ()
    """Other encoders, given as the first one is; of each the difference to the first on the same objects is told.
    They must have patches of the same size."""
    layout: Literal["coco", "lvis"] = "coco"
    """How annotations are named: coco = annotations/instances_val2017.json, lvis = annotations/lvis_v1_val.json."""
    num_resamples: int = 2000
    """Times that pictures are drawn anew for the confidence intervals, at least 1."""
    eval_batch_size: int = 32
    """Pictures that go through an encoder at once on each device."""
    num_examples: int = 8
    """Objects shown in the report, at least 0, spread evenly over those that are scored."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        share = self.min_patch_share
        require(0 < share <= 1, f"min_patch_share is {share}; it is a share of a patch in (0, 1]")
        for name in ("num_resamples", "eval_batch_size"):
            require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; it must be at least 1")
        require(self.num_examples >= 0, f"num_examples is {self.num_examples}; it must be at least 0")
        require(
            not self.run.compile,
            "compile is on; a compiled encoder does not show its attention, so leave it off",
        )
