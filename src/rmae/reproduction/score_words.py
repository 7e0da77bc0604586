"""What scores are called, and in which unit they are told."""

import re
from typing import NamedTuple


class ScoreWords(NamedTuple):
    """How to tell a score."""

    name: str
    """In words."""
    scale: float
    """What its values are multiplied by: 100 where they are told in percent."""
    unit: str
    """Of differences; "" where it is not known."""
    decimals: int
    """Digits after the point."""
    fewer_is_better: bool = False
    """Whether lower values are better ones."""


# What a name matches, and what it is called; shares and counts are told apart by the list that they stand in.
_SHARES = (
    (r"segment\.miou", "segmentation, mIoU"),
    (r"segment\.pixel_accuracy", "segmentation, pixels right"),
    (r"segment\.mean_accuracy", "segmentation, mean accuracy"),
    (r"detect\.box_ap(\d*)", r"boxes, AP\1"),
    (r"detect\.mask_ap(\d*)", r"masks, AP\1"),
    (r"detect\.box_ap_(\w+)", r"boxes, AP (\1)"),
    (r"detect\.mask_ap_(\w+)", r"masks, AP (\1)"),
    (r"knn\.top(\d+)_(\d+)", r"k-NN (k = \2), top-\1"),
    (r"linear\.top(\d+)", r"linear probe, top-\1"),
    (r"finetune\.top(\d+)", r"fine-tuning, top-\1"),
    (r"localise\.attention_auc", "attention, AUC"),
    (r"localise\.attention_mass", "attention, mass inside"),
    (r"localise\.attention_pointing", "attention, pointing"),
    (r"localise\.attention_iou", "attention, best IoU"),
    (r"localise\.similarity_auc", "similarity, AUC"),
    (r"localise\.similarity_mass", "similarity, mass inside"),
    (r"localise\.similarity_pointing", "similarity, pointing"),
    (r"localise\.similarity_iou", "similarity, best IoU"),
    (r"interactive\.iou_1", "IoU after 1 click"),
    (r"interactive\.iou_(\d+)", r"IoU after \1 clicks"),
    (r"interactive\.visible_iou_0?([\d.]+)", r"completion IoU, \1 % visible"),
)
_SHARES_OF_FAILURES = ((r"interactive\.failures_(\d+)", r"never reaches \1 % IoU"),)
_COUNTS = ((r"interactive\.clicks_(\d+)", r"clicks to \1 % IoU"),)


def words_for(score: str) -> ScoreWords:
    """Words for a score.

    Args:
        score: Task and name, as in `segment.miou`.

    Returns:
        How to tell it. One that is not known is told as it is, by its own name.
    """
    for pattern, name in _SHARES:
        if found := re.fullmatch(pattern, score):
            return ScoreWords(found.expand(name), 100, "points", 1)
    for pattern, name in _SHARES_OF_FAILURES:
        if found := re.fullmatch(pattern, score):
            return ScoreWords(found.expand(name), 100, "points", 1, fewer_is_better=True)
    for pattern, name in _COUNTS:
        if found := re.fullmatch(pattern, score):
            return ScoreWords(found.expand(name), 1, "clicks", 1, fewer_is_better=True)
    return ScoreWords(score, 1, "", 3)
