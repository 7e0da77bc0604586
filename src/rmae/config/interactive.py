"""Interactive segmentation, scored by simulated clicks."""

from dataclasses import dataclass, field
from typing import Literal

from rmae.config.checks import check_values, require
from rmae.config.reading import ReadingConfig
from rmae.config.run import RunConfig

METHOD_NAMES = ("model", "felzenszwalb", "grabcut", "sam", "nothing", "nearest")
"""What results call the model under test, the methods beside it, and the controls."""


@dataclass(frozen=True, kw_only=True)
class InteractiveConfig:
    """Click on annotated objects, and complete their maps from few patches; nothing is trained.

    Of `reading` only the largest number of pixels matters here.
    """

    img_size: int | tuple[int, int] | None = None
    """Side, or height and width, in pixels at which models see pictures, divisible by their patch size.
    None = as each was trained."""
    num_views: int | None = None
    """In how many views the neck sees a picture, at least 1; None = as many as give it what it saw in training.
    With 1 it sees all of it at once."""
    assume_background: bool = True
    """Ask a model twice for each click: what it takes least for the object at first is background the second time."""
    max_objects: int = 1000
    """Most objects that are clicked on, at least 1; where there are more, they are drawn, one of each picture first."""
    min_object_share: float = 0.01
    """Objects that cover a smaller share of their picture, in [0, 1], are left out.
    A patch of 16 pixels in a picture of 224 covers 0.005."""
    max_clicks: int = 20
    """Clicks on an object, at least 1."""
    visible_shares: tuple[float, ...] = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75)
    """Shares of the patches, in (0, 1) and ascending, on which an object's true map is known, to complete the rest.
    No share at all = leave this out."""
    felzenszwalb_scale: float | None = 1000.0
    """Scale of the segmentation whose regions are clicked on, above 0; the smallest region has as many pixels.
    None = leave it out."""
    grabcut_side: int | None = 256
    """Longer side in pixels to which GrabCut reduces larger pictures, at least 1: it takes time with the area.
    None = leave it out."""
    sam: str | None = None
    """Folder or hub id of a Segment Anything model of transformers to click on as well; None = leave it out."""
    against: tuple[str, ...] = ()
    """Other models, as rmae.load takes them, for the same objects; of each the difference to the first one is told."""
    layout: Literal["coco", "lvis"] = "coco"
    """How annotations are named: coco = annotations/instances_val2017.json, lvis = annotations/lvis_v1_val.json."""
    num_resamples: int = 2000
    """Times that pictures are drawn anew for the confidence intervals, at least 1."""
    num_examples: int = 6
    """Objects shown in the report, at least 0, spread evenly from those found best to those found worst."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        size = self.img_size
        require(
            size is None or isinstance(size, int) or len(size) == 2,
            f"img_size is {size}; give one side, or height and width",
        )
        sides = size if isinstance(size, tuple) else (size,)
        require(
            all(side is None or side >= 1 for side in sides),
            f"img_size is {size}; every side must be at least 1 pixel",
        )
        for name in ("num_views", "max_objects", "max_clicks", "num_resamples", "grabcut_side"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name} is {value}; it must be at least 1")
        require(self.num_examples >= 0, f"num_examples is {self.num_examples}; it must be at least 0")
        share = self.min_object_share
        require(0 <= share <= 1, f"min_object_share is {share}; it is a share of a picture in [0, 1]")
        shares = self.visible_shares
        require(
            all(0 < each < 1 for each in shares) and list(shares) == sorted(set(shares)),
            f"visible_shares are {shares}; they are shares of the patches in (0, 1), ascending",
        )
        scale = self.felzenszwalb_scale
        require(scale is None or scale > 0, f"felzenszwalb_scale is {scale}; it must be above 0, or None")
        self._check_against()
        require(not self.run.compile, "compile is on; a model that answers clicks is not compiled, so leave it off")
        require(
            self.run.precision != "float64",
            "precision is float64; models answer clicks in float32 or bf16, so take one",
        )

    def _check_against(self) -> None:
        require(
            len(set(self.against)) == len(self.against),
            f"against names a model twice ({', '.join(self.against)}); name each once",
        )
        for name in self.against:
            require(
                name not in METHOD_NAMES,
                f"against names {name}, which is what a method is called in the results; write the path in full",
            )
