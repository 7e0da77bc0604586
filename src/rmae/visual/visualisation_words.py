"""What stands on the page beside the pictures: mean figures, and how to read each part."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Literal, NamedTuple

from rmae.visual.figure_words import decimal, percent, rough_percent
from rmae.visual.visualisation_page import Hint
from rmae.visual.visualisation_parts import Reconstruction, RegionGuess

FIGURE_COLUMNS = ("", "error on hidden patches", "flat guess", "region IoU", "baseline")
"""Head of the table of figures."""


class Figure(NamedTuple):
    """One figure of one picture or region, with what it is to be set against."""

    name: str
    """Of the model."""
    ratio: float
    """Share of the patches that was hidden."""
    kind: Literal["error", "iou"]
    value: float
    """NaN = not defined."""
    baseline: float


def figures_of(reconstructions: Sequence[Reconstruction], guesses: Sequence[RegionGuess]) -> list[Figure]:
    """The figures without the pictures."""
    errors = [Figure(each.author.name, each.ratio, "error", each.error, each.baseline) for each in reconstructions]
    return errors + [Figure(each.author.name, each.ratio, "iou", each.iou, each.baseline) for each in guesses]


def mean_figures(figures: Sequence[Figure]) -> list[dict[str, float | str | None]]:
    """Means over pictures and regions, by model and ratio; None where there is nothing to average."""
    names = list(dict.fromkeys(figure.name for figure in figures))
    rows = []
    for name, ratio in sorted({figure[:2] for figure in figures}, key=lambda of: (names.index(of[0]), of[1])):
        row: dict[str, float | str | None] = {"model": name, "hidden": ratio}
        for kind, of_value, of_baseline in (("error", "error", "flat_guess"), ("iou", "region_iou", "baseline")):
            counted = [
                (figure.value, figure.baseline)
                for figure in figures
                if (figure.name, figure.ratio, figure.kind) == (name, ratio, kind) and not math.isnan(figure.value)
            ]
            row[of_value] = fmean(value for value, _ in counted) if counted else None
            row[of_baseline] = fmean(baseline for _, baseline in counted) if counted else None
        rows.append(row)
    return rows


def figure_rows(means: Sequence[dict[str, float | str | None]]) -> list[tuple[str, ...]]:
    """The same as cells of a table with the head `FIGURE_COLUMNS`."""
    return [
        (
            f"{row['model']}, {rough_percent(float(row['hidden'] or 0))} hidden",
            percent(_known(row["error"])),
            percent(_known(row["flat_guess"])),
            decimal(_known(row["region_iou"])),
            decimal(_known(row["baseline"])),
        )
        for row in means
    ]


def reconstruction_hint(*, borrowing: Sequence[str], plain: Sequence[str]) -> Hint:
    """How to read reconstructions.

    Args:
        borrowing: Models that predict pixels normalised patch by patch.
        plain: Those that predict them as they are.
    """
    words = (
        "Some patches are hidden from the model, which guesses them from the others; what a smaller share hides, a "
        "larger one hides as well. The error is the root mean square difference on the hidden patches, in percent of "
        "the range from black to white. A guess is worth something if it is below that of a flat guess without detail."
    )
    for names, flat in (
        (
            borrowing,
            "predicted only the pattern inside a patch, so each hidden patch borrows mean and contrast of the true "
            "one: its brightness is no achievement. The flat guess borrows the mean as well.",
        ),
        (plain, "borrowed nothing; the flat guess is the mean colour of the patches that were seen."),
    ):
        if names:
            words += f" {_list(names)} {flat}"
    return Hint("Reconstructions", words)


def region_hint(*, whole_picture: bool) -> Hint:
    """How to read regions."""
    hidden = (
        "nothing is hidden of the picture, unlike in training"
        if whole_picture
        else "patches are hidden of the picture as well, as in training"
    )
    return Hint(
        "Regions",
        "A region is one coherent part of the picture, and its map says which pixels belong to it. Patches of the map "
        f"are hidden, and {hidden}; the model completes the map, and what it saw of it is shown as it is. IoU is the "
        "overlap of the true and the predicted region on hidden patches alone: 1 is perfect. The baseline is what "
        "calling every hidden pixel part of the region would reach.",
    )


def attention_hint(*, blocks: Sequence[str]) -> Hint:
    """How to read attention.

    Args:
        blocks: Which block is shown: one entry for all encoders, or one for each with its name.
    """
    return Hint(
        "Attention",
        f"The framed patch asks; the colours say which patches its answer is drawn from, in {_list(blocks)}, as the "
        "mean over heads. Each map has a scale of its own, from none to its largest value, so compare shapes and not "
        "colours between maps. Nothing is hidden here. Attention shows where a block takes values from: not why, and "
        "not what the model as a whole goes by.",
    )


def feature_hint() -> Hint:
    """How to read features as colours."""
    return Hint(
        "Features",
        "Patches with like colours have like features. Red, green and blue are the three directions in which the "
        "features of all patches on this page differ most, so a colour means the same in all pictures of one encoder, "
        "and nothing between encoders. What lies in other directions is not to be seen; the share of the variance that "
        "is stands below each picture.",
    )


def _known(value: float | str | None) -> float | None:
    return value if isinstance(value, float) else None


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
