"""Scenes in COCO's layout: pictures, instances, panoptic segments."""

from pathlib import Path
from typing import Any

from rmae.scenes.coco_part import CocoPart, SceneEntries
from rmae.scenes.new_folder import new_folder
from rmae.scenes.scene import draw_scene
from rmae.scenes.scene_set import DRAWING_VERSION, SPLITS, SceneSet, Split
from rmae.scenes.shapes import SHAPES


def make_scenes(
    out: str | Path,
    *,
    num_train: int = 400,
    num_val: int = 100,
    size_hw: tuple[int, int] = (128, 128),
    seed: int = 0,
    by_shape_alone: bool = False,
) -> Path:
    """Draw scenes of discs, squares and triangles over textured grounds, and write them in COCO's layout.

    The masks are exact: a pixel is an object's where its centre lies in the object's shape and in that of no object
    above it. A scene depends on size, seed, split and index alone, so that a larger data set begins with the scenes of
    a smaller one. The same arguments give the same bytes.

    Args:
        out: Folder to write, new or empty. It gets `train2017/*.png` and `val2017/*.png`; `annotations/` with
            `instances_{train,val}2017.json` (masks as compressed run lengths; categories 1 disc, 2 square, 3 triangle)
            and `panoptic_{train,val}2017.json` (also 4 ground, which is no thing); `panoptic_{train,val}2017/*.png`
            with the segment ids; `semantic_{train,val}2017/*.png` with a byte a pixel, 0 for the ground or else the
            category. It appears when all of it is written.
        num_train: Scenes to train on, 1 to 1,000,000.
        num_val: Scenes to validate on, 1 to 1,000,000.
        size_hw: Height and width in pixels, at least 32 each.
        seed: At least 0.
        by_shape_alone: Whether colours do not depend on the class. Otherwise discs are reddish, squares bluish and
            triangles greenish, as things of a kind often look alike; that is learned much faster.

    Returns:
        The folder, as an absolute path.

    Raises:
        ValueError: A number is out of its range, or the folder is a file or not empty.

    Example:
        >>> import rmae
        >>> rmae.make_scenes("shapes", num_train=40, num_val=10)  # doctest: +SKIP
    """
    scenes = SceneSet(num_train=num_train, num_val=num_val, size_hw=size_hw, seed=seed, by_shape_alone=by_shape_alone)
    out = Path(out).resolve()
    with new_folder(out) as folder:
        for split in SPLITS:
            _write_split(folder, scenes, split)
    return out


def _write_split(folder: Path, scenes: SceneSet, split: Split) -> None:
    part = CocoPart(folder=folder, split=split, classes=SHAPES, is_jpeg=False, compress_level=6)
    part.make_folders()
    entries: list[SceneEntries] = []
    for index in range(scenes.num(split)):
        scene = draw_scene(scenes.size_hw, scenes.generator(split, index), by_shape_alone=scenes.by_shape_alone)
        entries.append(part.write_scene(scenes.number(split, index), scene))
    part.write_annotations(entries, _info(scenes, split), supercategory="shape")


def _info(scenes: SceneSet, split: Split) -> dict[str, Any]:
    return {
        "description": "drawn scenes of discs, squares and triangles with exact truth",
        "contributor": "rmae scenes",
        "version": str(DRAWING_VERSION),
        "seed": scenes.seed,
        "by_shape_alone": scenes.by_shape_alone,
        "split": split,
    }
