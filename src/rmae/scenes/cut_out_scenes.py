"""Data sets of photographic cut-outs on photographs, in COCO's and ImageNet's layout."""

import os
from functools import partial
from pathlib import Path
from typing import Any

from rmae.scenes.coco_part import CocoPart, SceneEntries, save_picture
from rmae.scenes.composition import SIDES, SINGLE_SIDES, Materials, compose_scene, compose_single
from rmae.scenes.cut_out_files import CutOutFiles
from rmae.scenes.new_folder import new_folder
from rmae.scenes.processes import work_on_numbers
from rmae.scenes.scene_set import SPLITS, SceneSet, Split

COMPOSING_VERSION = 1
"""Goes up when the same seed and files give something else."""

_PNG_LEVEL = 1  # truth has few colours, so that more effort would save little and take long


def make_cut_out_scenes(
    out: str | Path,
    files: CutOutFiles,
    *,
    num_train: int = 400,
    num_val: int = 100,
    size_hw: tuple[int, int] = (128, 128),
    seed: int = 0,
    num_workers: int | None = None,
) -> Path:
    """Compose scenes of cut-outs on crops of photographs, and write them in COCO's layout.

    The masks are exact: a pixel is a thing's where the thing, as it is shown, is at least half opaque, and no thing
    above it is. A scene depends on the files, size, seed, split and index alone, so that a larger data set begins with
    the scenes of a smaller one. The same arguments give the same bytes, whatever the number of processes.

    Args:
        out: Folder to write, new or empty. It gets `train2017/*.jpg` and `val2017/*.jpg`; `annotations/` with
            `instances_{train,val}2017.json` (masks as compressed run lengths; categories 1, 2, ... in the order of
            `files.classes`) and `panoptic_{train,val}2017.json` (also the ground, which is no thing);
            `panoptic_{train,val}2017/*.png` with the segment ids; `semantic_{train,val}2017/*.png` with a byte a pixel,
            0 for the ground or else the category. It appears when all of it is written.
        files: What `rmae.read_cut_outs` found.
        num_train: Scenes to train on, 1 to 1,000,000.
        num_val: Scenes to validate on, 1 to 1,000,000.
        size_hw: Height and width in pixels, at least 32 each.
        seed: At least 0.
        num_workers: Processes that compose scenes; 0 = this one, None = one a core.

    Returns:
        The folder, as an absolute path.

    Raises:
        ValueError: A number is out of its range, or the folder is a file or not empty.
    """
    scenes = SceneSet(num_train=num_train, num_val=num_val, size_hw=size_hw, seed=seed)
    num_workers = _checked(num_workers)
    out = Path(out).resolve()
    with new_folder(out) as folder:
        for split in SPLITS:
            materials = Materials.prepare(files, split, size_hw=size_hw, sides=SIDES)
            part = CocoPart(folder=folder, split=split, classes=files.classes, is_jpeg=True, compress_level=_PNG_LEVEL)
            part.make_folders()
            entries = work_on_numbers(
                partial(_compose_and_write, part, scenes, materials), scenes.num(split), num_workers=num_workers
            )
            part.write_annotations(entries, _info(scenes, split, files), supercategory="cut-out")
    return out


def make_cut_out_classes(
    out: str | Path,
    files: CutOutFiles,
    *,
    num_train: int = 400,
    num_val: int = 100,
    size_hw: tuple[int, int] = (64, 64),
    seed: int = 0,
    num_workers: int | None = None,
) -> Path:
    """Compose pictures of one large cut-out on a photograph each, and write them in ImageNet's layout.

    A picture depends on the files, size, seed, split and index alone, and the same arguments give the same bytes.

    Args:
        out: Folder to write, new or empty. It gets `train/CLASS/*.jpg` and `val/CLASS/*.jpg`, the classes in turn. It
            appears when all of it is written.
        files: What `rmae.read_cut_outs` found.
        num_train: Pictures to train on, of all classes together; at least one a class, at most 1,000,000.
        num_val: Pictures to validate on, in the same way.
        size_hw: Height and width in pixels, at least 32 each.
        seed: At least 0.
        num_workers: Processes that compose pictures; 0 = this one, None = one a core.

    Returns:
        The folder, as an absolute path.

    Raises:
        ValueError: A number is out of its range, or the folder is a file or not empty.
    """
    scenes = SceneSet(num_train=num_train, num_val=num_val, size_hw=size_hw, seed=seed)
    scenes.check_classes(len(files.classes))
    num_workers = _checked(num_workers)
    out = Path(out).resolve()
    with new_folder(out) as folder:
        for split in SPLITS:
            materials = Materials.prepare(files, split, size_hw=size_hw, sides=SINGLE_SIDES)
            folders = tuple(folder / split / name for name in files.classes)
            for of_class in folders:
                of_class.mkdir(parents=True)
            work_on_numbers(
                partial(_compose_and_write_single, folders, split, scenes, materials),
                scenes.num(split),
                num_workers=num_workers,
            )
    return out


def _compose_and_write(part: CocoPart, scenes: SceneSet, materials: Materials, index: int) -> SceneEntries:
    scene = compose_scene(materials, scenes.generator(part.split, index))
    return part.write_scene(scenes.number(part.split, index), scene)


def _compose_and_write_single(
    folders: tuple[Path, ...], split: Split, scenes: SceneSet, materials: Materials, index: int
) -> None:
    class_ = index % len(folders)
    scene = compose_single(class_, materials, scenes.generator(split, index))
    save_picture(scene.image, folders[class_] / f"{scenes.number(split, index):012d}.jpg")


def _checked(num_workers: int | None) -> int:
    if num_workers is None:
        return len(os.sched_getaffinity(0))
    if num_workers < 0:
        raise ValueError(f"num_workers is {num_workers}; it must be at least 0")
    return num_workers


def _info(scenes: SceneSet, split: Split, files: CutOutFiles) -> dict[str, Any]:
    return {
        "description": "photographic cut-outs on photographs with exact truth",
        "contributor": "rmae scenes",
        "version": str(COMPOSING_VERSION),
        "files": str(files),
        "seed": scenes.seed,
        "split": split,
    }
