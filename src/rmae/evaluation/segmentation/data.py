"""A data set with labels, in either of two layouts."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmae.config.segmentation import SegmentConfig
from rmae.data.image_set import ImageSet
from rmae.data.images import UnreadableImage
from rmae.data.layouts import list_images
from rmae.evaluation.segmentation.class_names import CLASS_FILES, read_class_names
from rmae.evaluation.segmentation.labels import LabelReader
from rmae.evaluation.segmentation.panoptic_labels import check_listed, read_categories, read_panoptic
from rmae.evaluation.segmentation.semantic_pngs import SemanticPngs, check_pairs, count_classes

_ADE20K_PARTS = (("training", "validation"), ("train", "val"))
_COCO_PARTS = ("train2017", "val2017")


class LabelledImages(NamedTuple):
    """One part of a data set."""

    images: ImageSet
    """The pictures."""
    labels: LabelReader
    """What gives their labels."""
    max_pixels: int
    """Larger pictures are not read."""

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of the pictures relative to the root."""
        return self.images.names

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Read a picture and its labels.

        Args:
            index: Which one, in the order of the names.

        Returns:
            The picture, shape (H, W, 3) uint8, and its labels, shape (H, W) int16: classes from 0, or `IGNORED`.

        Raises:
            UnreadableImage: The picture or its labels cannot be read, or are not of the same size.
            WrongLabels: There is a label outside of the classes.
        """
        name = self.images.names[index]
        image = self.images.read(name, channels=3, max_pixels=self.max_pixels)
        return image, self.labels(name, image.shape[:2])


class SegmentationData(NamedTuple):
    """A data set with labels."""

    training: LabelledImages
    validation: LabelledImages
    classes: tuple[str, ...]
    """Names; their places are the labels."""

    def fingerprint(self) -> str:
        """What a resumed run must find again: which pictures are trained on, and which classes there are."""
        digest = hashlib.sha256("\n".join(self.classes).encode()).hexdigest()
        return f"{self.training.images.fingerprint()}; {len(self.classes)} classes, sha256 {digest[:16]}"


def open_data(config: SegmentConfig, root: Path) -> SegmentationData:
    """Open a data set.

    Args:
        config: Which label is ignored, and how large pictures may be.
        root: Its folder. Either it has COCO's panoptic layout: `train2017/`, `val2017/` and
            `annotations/panoptic_{train,val}2017.json` beside or above `panoptic_{train,val}2017/`; then the classes
            are the categories, sorted by id. Or it has ADE20K's: `images/{training,validation}/` and
            `annotations/{training,validation}/`, or `train` and `val`, with a PNG of labels for each picture; then the
            classes are those that `objectInfo150.txt` or `classes.txt` names, or else what the PNGs hold.

    Returns:
        The data set. The first picture of each part has been read, and in ADE20K's layout all labels for validation.

    Raises:
        ValueError: There is neither layout, a part is missing, pictures and labels do not belong together, there are
            fewer than two classes, or a label for validation is none of them.
    """
    if not root.is_dir():
        raise ValueError(f"the data folder {root} does not exist")
    annotations = root / "annotations"
    if any((annotations / f"panoptic_{part}.json").exists() for part in _COCO_PARTS):
        data = _open_panoptic(config, root)
    else:
        data = _open_ade20k(config, root)
    if len(data.classes) < 2:
        raise ValueError(f"{root} has {len(data.classes)} class(es); there must be at least 2 to tell apart")
    for part in (data.training, data.validation):
        try:
            part.read(0)
        except UnreadableImage as error:
            raise ValueError(f"{part.names[0]} cannot be used: {error}") from error
    if isinstance(data.validation.labels, SemanticPngs):  # now, since validation may come days later
        count_classes(data.validation.images, data.validation.labels)
    return data


def _open_panoptic(config: SegmentConfig, root: Path) -> SegmentationData:
    files = {part: root / "annotations" / f"panoptic_{part}.json" for part in _COCO_PARTS}
    _require_all([root / part for part in _COCO_PARTS] + list(files.values()))
    categories = read_categories(files[_COCO_PARTS[1]])  # of the two files by far the smaller one
    parts = []
    for part, file in files.items():
        folder = next((at for at in (file.with_suffix(""), root / file.stem) if at.is_dir()), None)
        if folder is None:
            raise ValueError(f"the segments of {file} are missing: there is no folder {root / file.stem}")
        images = list_images(root, (part,), max_pixels=config.reading.max_pixels)
        labels = read_panoptic(file, folder, categories)
        check_listed(images, labels)
        parts.append(LabelledImages(images, labels, config.reading.max_pixels))
    training, validation = parts
    return SegmentationData(training, validation, tuple(categories.values()))


def _open_ade20k(config: SegmentConfig, root: Path) -> SegmentationData:
    names = next((pair for pair in _ADE20K_PARTS if any((root / "images" / part).is_dir() for part in pair)), None)
    if names is None:
        raise ValueError(
            f"{root} has no layout that segment reads: give a folder with images/training, images/validation, "
            "annotations/training and annotations/validation as ADE20K has them (train and val will do), or with "
            "train2017, val2017 and annotations/panoptic_train2017.json and panoptic_val2017.json as COCO has them"
        )
    _require_all([root / kind / part for kind in ("images", "annotations") for part in names])
    parts = []
    for part in names:
        images = list_images(root, (f"images/{part}",), max_pixels=config.reading.max_pixels)
        labels = SemanticPngs(
            root=root,
            images_folder=f"images/{part}",
            folder=f"annotations/{part}",
            ignore_label=config.ignore_label,
            num_classes=None,
            max_pixels=config.reading.max_pixels,
        )
        check_pairs(images, labels)
        parts.append((images, labels))
    classes = read_class_names(root) or _numbers(*parts[0])
    training, validation = (
        LabelledImages(images, labels.with_classes(len(classes)), config.reading.max_pixels) for images, labels in parts
    )
    return SegmentationData(training, validation, classes)


def _numbers(images: ImageSet, labels: SemanticPngs) -> tuple[str, ...]:
    """Numbers as the names of the classes that there are in training."""
    num_classes = count_classes(images, labels)
    if num_classes == 0:
        raise ValueError(
            f"no pixel in {labels.root / labels.folder} has a class: all are ignored; set --ignore-label, or name the "
            f"classes in {' or '.join(CLASS_FILES)}"
        )
    return tuple(labels.name_of_label(class_) for class_ in range(num_classes))


def _require_all(paths: list[Path]) -> None:
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise ValueError(f"a part of the data set is missing: there is no {' and no '.join(missing)}")
