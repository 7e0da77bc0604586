"""Average precision of what was found, by COCO's and by LVIS's rules."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from rmae.evaluation.objects.annotations import Category
from rmae.evaluation.objects.pictures import Part
from rmae.evaluation.objects.run_lengths import run_lengths

_SIZES = ("small", "medium", "large")  # below 32 x 32 pixels, below 96 x 96, and from there on
_FREQUENCIES = {"r": "rare", "c": "common", "f": "frequent"}
_COCO_DETECTIONS, _LVIS_DETECTIONS = 100, 300  # of a picture that count
_AT_50, _AT_75 = 0, 5  # places of these overlaps in 0.5, 0.55, ..., 0.95
_EVERY_SIZE = 0


class AveragePrecision(NamedTuple):
    """Of boxes or of masks; each in [0, 1], NaN where there is no object of that kind to be found."""

    ap: float
    """Mean over categories and over the overlaps 0.5, 0.55, ..., 0.95 from which on a find counts."""
    ap50: float
    """Where an overlap of 0.5 is enough."""
    ap75: float
    """Where an overlap of 0.75 is."""
    by_size: Mapping[str, float]
    """Of objects that are small (below 32 x 32 pixels), medium (below 96 x 96) or large."""
    by_frequency: Mapping[str, float]
    """Of categories that are rare, common or frequent; LVIS alone, else empty."""
    by_category: tuple[float, ...]
    """Of each category, in their order."""
    ap50_by_category: tuple[float, ...]
    """The same where an overlap of 0.5 is enough."""

    def scores(self, prefix: str) -> dict[str, float]:
        """All but those by category, by name, the headline first."""
        return {
            f"{prefix}_ap": self.ap,
            f"{prefix}_ap50": self.ap50,
            f"{prefix}_ap75": self.ap75,
            **{f"{prefix}_ap_{size}": value for size, value in self.by_size.items()},
            **{f"{prefix}_ap_{frequency}": value for frequency, value in self.by_frequency.items()},
        }


class Truth:
    """What is to be found in the pictures of a part: made once, compared with often.

    faster-coco-eval does the comparing: its figures are pycocotools', which knows no LVIS, in a fraction of the time.

    Args:
        part: Pictures and objects; objects that are not usable are left out, crowds are what finds may be lost in.
        categories: By ascending id.
        is_lvis: Whether by LVIS's rules: in each picture only those categories count that are known to be there or
            not to be, and finds beyond the annotated ones are no mistakes where not all objects are annotated.

    Raises:
        ValueError: A mask is malformed.
    """

    def __init__(self, part: Part, categories: Sequence[Category], *, is_lvis: bool) -> None:
        self._part = part
        self._categories = categories
        self._is_lvis = is_lvis
        # Ids of our own, for there may be any: text, or 0, which would stand for "not matched".
        self._image_ids = {id_: row + 1 for row, id_ in enumerate(part.objects.image_ids)}
        self._labels = {category.id: label for label, category in enumerate(categories, start=1)}
        annotations = [self._annotations(row) for row in range(len(self._image_ids))]
        self._judged = [self._labels_judged(*each) for each in enumerate(annotations)] if is_lvis else []
        self._truth = COCO(self._as_json(annotations))

    def compare(self, results: Sequence[Mapping[str, Any]], kind: Literal["box", "mask"]) -> AveragePrecision:
        """Compare what was found with what is there.

        Args:
            results: In COCO's form, with the ids of the annotation file: `image_id`, `category_id`, `bbox` (x, y,
                width, height), `score` and `segmentation` (compressed run lengths); perhaps none.
            kind: Whether overlaps are those of boxes or those of masks.
        """
        counted = (self._renumbered(result, kind) for result in results)
        found = self._truth.loadRes([result for result in counted if self._is_judged(result)])
        evaluation = COCOeval_faster(
            self._truth, found, "bbox" if kind == "box" else "segm", lvis_style=self._is_lvis, print_function=_silent
        )
        evaluation.params.maxDets = [_LVIS_DETECTIONS if self._is_lvis else _COCO_DETECTIONS]
        evaluation.evaluate()
        evaluation.accumulate()
        # Overlaps, recalls, categories, sizes: -1 where there is nothing to be found.
        return self._summarise(np.asarray(evaluation.eval["precision"])[..., 0])

    def _summarise(self, precision: np.ndarray) -> AveragePrecision:
        of_all = precision[..., _EVERY_SIZE]
        groups: dict[str, list[int]] = {name: [] for name in _FREQUENCIES.values()} if self._is_lvis else {}
        for place, category in enumerate(self._categories):
            if self._is_lvis and category.frequency is not None:
                groups[_FREQUENCIES[category.frequency]].append(place)
        return AveragePrecision(
            ap=_mean(of_all),
            ap50=_mean(of_all[_AT_50]),
            ap75=_mean(of_all[_AT_75]),
            by_size={name: _mean(precision[..., place]) for place, name in enumerate(_SIZES, start=1)},
            by_frequency={name: _mean(of_all[:, :, places]) for name, places in groups.items()},
            by_category=tuple(_mean(of_all[:, :, place]) for place in range(len(self._categories))),
            ap50_by_category=tuple(_mean(of_all[_AT_50, :, place]) for place in range(len(self._categories))),
        )

    def _renumbered(self, result: Mapping[str, Any], kind: Literal["box", "mask"]) -> dict[str, Any]:
        """A copy with ids of our own. A box has its own area, a mask its own: the size of a find depends on which."""
        image_id, label = self._image_ids[result["image_id"]], self._labels[result["category_id"]]
        key = "bbox" if kind == "box" else "segmentation"
        return {"image_id": image_id, "category_id": label, "score": result["score"], key: result[key]}

    def _is_judged(self, result: Mapping[str, Any]) -> bool:
        """Whether it is known if a find is right; the library leaves the others out, too, but not soon enough."""
        return not self._is_lvis or result["category_id"] in self._judged[result["image_id"] - 1]

    def _labels_judged(self, row: int, annotations: Sequence[Mapping[str, Any]]) -> set[int]:
        """Categories that are known to be in a picture, whose annotations are given, or not to be."""
        absent = {self._labels[id_] for id_ in self._part.objects.absent[row] if id_ in self._labels}
        return absent | {annotation["category_id"] for annotation in annotations}

    def _as_json(self, annotations: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
        """What faster-coco-eval takes, given the annotations of each picture."""
        objects = self._part.objects
        images = []
        for row, (height, width) in enumerate(objects.table.images.sizes_hw.tolist()):
            image = {"id": row + 1, "height": height, "width": width}
            if self._is_lvis:
                image["neg_category_ids"] = [self._labels[id_] for id_ in objects.absent[row] if id_ in self._labels]
                incomplete = [self._labels[id_] for id_ in objects.incomplete[row] if id_ in self._labels]
                image["not_exhaustive_category_ids"] = incomplete
            images.append(image)
        categories = [
            {"id": label, "name": category.name, "frequency": category.frequency or "f"}
            for label, category in enumerate(self._categories, start=1)
        ]
        entries = [entry for of_picture in annotations for entry in of_picture]
        return {"images": images, "annotations": entries, "categories": categories}

    def _annotations(self, row: int) -> list[dict[str, Any]]:
        objects = self._part.objects
        height, width = objects.table.images.sizes_hw[row].tolist()
        entries = []
        for number, mask in objects.draw(row):
            box, area = objects.boxes_xywh[number], objects.areas[number]
            if np.isnan(box).any():
                box = np.array([mask.left, mask.top, mask.pixels.shape[1], mask.pixels.shape[0]], np.float64)
            entries.append(
                {
                    "id": number + 1,
                    "image_id": row + 1,
                    "category_id": int(objects.labels[number]),
                    "bbox": box.tolist(),
                    "area": float(np.count_nonzero(mask.pixels) if math.isnan(area) else area),
                    "iscrowd": int(objects.is_crowd[number]),
                    "segmentation": run_lengths(mask, (height, width)),
                }
            )
        return entries


def _mean(precision: np.ndarray) -> float:
    """Mean of what is defined, or NaN."""
    defined = precision[precision > -1]
    return float(defined.mean()) if len(defined) else math.nan


def _silent(*_: object) -> None:
    """Print nothing."""
