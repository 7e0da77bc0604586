"""The tables: what each compares, on which tasks, and what the paper says of it.

Source:
    R-MAE (arXiv 2306.05411, ICLR 2024). Figures are of ViT-B there, AP of boxes on COCO unless said otherwise; where it
    gives none, nothing is expected.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from rmae.evaluation.presets import Task
from rmae.reproduction.arms import MAE, RAE, RMAE, SCRATCH, Arm, for_part_of_the_time, rmae_with, with_source
from rmae.reproduction.contrasts import Claim, Expected
from rmae.reproduction.table_text import TableText

Letter = Literal["a", "b", "c", "d", "e", "f", "g", "h", "i"]
"""What tables are called."""


class Table(NamedTuple):
    """A question, and the encoders that answer it."""

    text: TableText
    """What is asked, and what is expected."""
    arms: tuple[Arm, ...]
    """What is compared."""
    tasks: tuple[Task, ...]
    """What the encoders are put to, unless the budget or the user says otherwise."""


_DENSE = ("segment.miou", "detect.box_ap", "detect.mask_ap")
_FEW_TASKS: tuple[Task, ...] = ("segment", "knn", "localise")
_ABOVE_MAE = Claim(
    contrast={"rmae": 1, "mae": -1},
    scores=_DENSE,
    expected="above",
    words="R-MAE is above MAE",
    source="50.6 against 50.1 with FH regions on COCO, 52.1 against 51.5 on COCO++, 38.3 against 37.7 on LVIS",
)
_NOT_KNOWN = "the paper tells no figure that is known to us"


def _compare(
    arm: str,
    other: str,
    words: str,
    *,
    expected: Expected | None = None,
    scores: tuple[str, ...] = _DENSE,
    source: str = _NOT_KNOWN,
) -> Claim:
    return Claim(contrast={arm: 1, other: -1}, scores=scores, expected=expected, words=words, source=source)


def _main() -> Table:
    text = TableText(
        title="Does it help?",
        question="A Vision Transformer from scratch, and pre-trained with MAE, with regions alone (RAE) and with both "
        "(R-MAE), put to tasks.",
        notes=(
            "Interactive segmentation needs a region branch, which neither MAE nor a model from scratch has.",
            "By chance nearest neighbours are right once in as many cases as there are classes; an AUC is 50 % then.",
            "From scratch all layers are trained at the full rate; of pre-trained ones the lower have less.",
        ),
        claims=(
            _compare(
                "rae",
                "scratch",
                "RAE is above training from scratch",
                expected="above",
                source="regions alone are far above training from scratch",
            ),
            _ABOVE_MAE,
            _compare("mae", "scratch", "MAE beside training from scratch"),
            _compare("rmae", "scratch", "R-MAE beside training from scratch"),
            _compare(
                "rae",
                "mae",
                "RAE beside MAE",
                source="the paper has 50.6 against 50.1 with regions of SAM; with FH not known",
            ),
            _compare(
                "rmae",
                "mae",
                "R-MAE is below MAE in a linear probe",
                expected="below",
                scores=("linear.top1",),
                source="60.6 against 68.0 on ImageNet",
            ),
            _compare("rmae", "mae", "R-MAE beside MAE in nearest neighbours", scores=("knn.top1_20",)),
            _compare(
                "rmae",
                "mae",
                "R-MAE's attention keeps to the object more than MAE's",
                expected="above",
                scores=("localise.attention_auc",),
                source="shown in pictures of attention; no figure",
            ),
            _compare(
                "rmae", "mae", "R-MAE's features outline objects beside MAE's", scores=("localise.similarity_auc",)
            ),
            _compare(
                "rmae",
                "rae",
                "R-MAE beside RAE in interactive segmentation",
                scores=("interactive.iou_1", "interactive.visible_iou_50"),
            ),
        ),
    )
    tasks: tuple[Task, ...] = ("segment", "detect", "knn", "linear", "localise", "interactive")
    return Table(text, (SCRATCH, MAE, RAE, RMAE), tasks)


def _variants() -> Table:
    text = TableText(
        title="Variants of the region decoder, and what they cost",
        question="A region as a token (length), as a sample (batch) or as a channel, beside what each costs.",
        notes=("What the channel variant predicts depends on the order of the regions.",),
        claims=(
            _compare(
                "rmae",
                "rmae_batch",
                "length is as good as batch",
                expected="equal",
                source="47.2 for both, at a fraction of the cost",
            ),
            _compare("rmae", "rmae_channel", "length beside channel"),
        ),
    )
    batch = rmae_with("batch", "batch", region_variant="batch")
    channel = rmae_with("channel", "channel", region_variant="channel")
    return Table(text, (MAE, RMAE, batch, channel), _FEW_TASKS)


def _sources() -> Table:
    text = TableText(
        title="Where regions come from",
        question="Felzenszwalb-Huttenlocher regions (FH) of three scales and of one, true objects, true objects and "
        "their ground, and two controls that know nothing of the picture: rectangles, and blobs at random places with "
        "the areas of the FH regions.",
        notes=(
            "RAE learns from regions alone, so that they matter most to it; of R-MAE the true and the random ones are "
            "shown besides.",
        ),
        claims=(
            _compare(
                "rae_instances",
                "rae",
                "true objects are no better than FH for RAE",
                expected="not above",
                source="annotations of COCO are not better than FH; regions of SAM are",
            ),
            _compare("rae_panoptic", "rae", "true objects with their ground beside FH, for RAE"),
            _compare("rae", "rae_random", "FH beside random masks of the same areas, for RAE"),
            _compare("rae", "rae_grid", "FH beside a grid, for RAE"),
            _compare("rmae", "rmae_random", "FH beside random masks of the same areas, for R-MAE"),
            _compare("rmae_random", "mae", "R-MAE with random masks beside MAE"),
            _compare("rmae_panoptic", "rmae", "true objects with their ground beside FH, for R-MAE"),
            _compare("rae_fh_fine", "rae", "the finest scale alone beside three, for RAE"),
            _compare("rae_fh_coarse", "rae", "the coarsest scale alone beside three, for RAE"),
        ),
    )
    sources = (
        with_source("rae", "fh_fine", "finest FH scale"),
        with_source("rae", "fh_coarse", "coarsest FH scale"),
        with_source("rae", "instances", "true objects"),
        with_source("rae", "panoptic", "true objects and ground"),
        with_source("rae", "grid", "grid"),
        with_source("rae", "random", "random masks"),
        with_source("rmae", "panoptic", "true objects and ground"),
        with_source("rmae", "random", "random masks"),
    )
    return Table(text, (MAE, RAE, *sources[:6], RMAE, *sources[6:]), _FEW_TASKS)


def _ratios() -> Table:
    text = TableText(
        title="How much is hidden",
        question="Three quarters of the patches of image and regions, or less or more of the regions, or of both.",
        notes=("Where the ratios differ, the visible patches of the one are among those of the other.",),
        claims=tuple(
            _compare(
                "rmae",
                other,
                f"hiding 75 % is above hiding {share} of {what}",
                expected="above",
                source="a high ratio, about 75 %, is best",
            )
            for other, share, what in (
                ("rmae_regions_50", "50 %", "the regions"),
                ("rmae_regions_90", "90 %", "the regions"),
                ("rmae_both_50", "50 %", "both"),
                ("rmae_both_90", "90 %", "both"),
            )
        ),
    )
    arms = (
        rmae_with("regions_50", "50 % of regions hidden", region_mask_ratio=0.5),
        rmae_with("regions_90", "90 % of regions hidden", region_mask_ratio=0.9),
        rmae_with("both_50", "50 % of both hidden", mask_ratio=0.5),
        rmae_with("both_90", "90 % of both hidden", mask_ratio=0.9),
    )
    return Table(text, (MAE, RMAE, *arms), _FEW_TASKS)


def _feeding() -> Table:
    text = TableText(
        title="Which branch feeds the other",
        question="Pixels feed regions (the default), regions feed pixels, each feeds the other, or neither.",
        notes=(),
        claims=tuple(
            _compare("rmae", other, f"pixels to regions is above {words}", expected="above", source="the default wins")
            for other, words in (
                ("rmae_both_ways", "both directions"),
                ("rmae_to_pixel", "regions to pixels"),
                ("rmae_unfed", "neither"),
            )
        ),
    )
    arms = (
        rmae_with("to_pixel", "regions to pixels", feeding="region_to_pixel"),
        rmae_with("both_ways", "both directions", feeding="both"),
        rmae_with("unfed", "neither", feeding="none"),
    )
    return Table(text, (MAE, RMAE, *arms), _FEW_TASKS)


def _losses() -> Table:
    text = TableText(
        title="The region loss",
        question="Cross-entropy or squared error, and what a pixel outside of a region weighs.",
        notes=(),
        claims=(
            _compare(
                "rmae",
                "rmae_l2",
                "cross-entropy is above squared error",
                expected="above",
                source="cross-entropy is better",
            ),
            _compare("rmae", "rmae_background_25", "weight 1 beside 0.25"),
            _compare("rmae", "rmae_background_50", "weight 1 beside 0.5"),
            _compare("rmae", "rmae_background_200", "weight 1 beside 2"),
        ),
    )
    arms = (
        rmae_with("l2", "squared error", region_loss="l2"),
        rmae_with("background_25", "background weighs 0.25", background_weight=0.25),
        rmae_with("background_50", "background weighs 0.5", background_weight=0.5),
        rmae_with("background_200", "background weighs 2", background_weight=2.0),
    )
    return Table(text, (MAE, RMAE, *arms), _FEW_TASKS)


def _numbers() -> Table:
    numbers = (1, 2, 4, 16, 32)
    text = TableText(
        title="How many regions",
        question="Eight regions drawn from each image (the default), or fewer or more.",
        notes=("Of an image with fewer regions some are drawn more than once.",),
        claims=tuple(_compare("rmae", f"rmae_{n}_regions", f"8 regions beside {n}") for n in numbers),
    )
    arms = (rmae_with(f"{n}_regions", f"{n} region{'s' * (n > 1)}", num_regions=n) for n in numbers)
    return Table(text, (MAE, RMAE, *arms), _FEW_TASKS)


def _controls() -> Table:
    text = TableText(
        title="Regions, or just more parameters and time?",
        question="R-MAE beside MAEs with the same number of parameters, or with as much arithmetic in training, and "
        "beside an R-MAE whose regions are random.",
        notes=("Reviewers asked for these controls; the paper has none of them.",),
        claims=(
            _ABOVE_MAE,
            _compare("rmae", "mae_parameters", "R-MAE beside an MAE with as many parameters"),
            _compare("rmae", "mae_time", "R-MAE beside an MAE with as much arithmetic"),
            _compare("rmae", "rmae_random", "R-MAE beside one with random masks"),
        ),
    )
    parameters = Arm(
        name="mae_parameters", label="MAE, as many parameters", task="mae", source=None, control="parameters"
    )
    time = Arm(name="mae_time", label="MAE, as much arithmetic", task="mae", source=None, control="time")
    return Table(text, (MAE, parameters, time, with_source("rmae", "random", "random masks"), RMAE), _FEW_TASKS)


def _lengths() -> Table:
    parts = ((0.25, "quarter"), (0.5, "half"))
    text = TableText(
        title="How long to pre-train",
        question="MAE and R-MAE for a quarter, for half and for all of the epochs.",
        notes=("Each length is a run with a schedule of its own, not a checkpoint on the way.",),
        claims=(
            _ABOVE_MAE,
            *(
                Claim(
                    contrast={"rmae": 1, "mae": -1, f"rmae_{name}": -1, f"mae_{name}": 1},
                    scores=_DENSE,
                    expected="above",
                    words=f"what R-MAE gains over MAE grows from {length:.3g} of the epochs to all",
                    source="gains grow with longer pre-training",
                )
                for length, name in parts
            ),
        ),
    )
    arms = tuple(for_part_of_the_time(arm, length, name) for length, name in parts for arm in (MAE, RMAE))
    return Table(text, (*arms, MAE, RMAE), _FEW_TASKS)


TABLES: Mapping[Letter, Table] = {
    "a": _main(),
    "b": _variants(),
    "c": _sources(),
    "d": _ratios(),
    "e": _feeding(),
    "f": _losses(),
    "g": _numbers(),
    "h": _controls(),
    "i": _lengths(),
}
"""All of them, by letter."""
