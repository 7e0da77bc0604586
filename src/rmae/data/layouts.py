"""Which image files a data set consists of, and which of them are kept for the report."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rmae.config import DataConfig
from rmae.data.image_set import ImageSet
from rmae.data.parquet import ParquetImages, parquet_files, split_parquet_files
from rmae.data.photographs import HELD_OUT, photographs_folder, photographs_set
from rmae.data.shards import Shards, is_packed
from rmae.regions.inside import Inside

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""What image files end in; upper and lower case are the same."""

_TRAINING_FOLDERS = ("train2017", "train")  # COCO, ImageNet
_VALIDATION_FOLDERS = ("val2017", "val")


def list_images(
    root: Path,
    subsets: tuple[str, ...] = (),
    *,
    regions_column: str | None = None,
    max_pixels: int = DataConfig.max_pixels,
) -> ImageSet:
    """Find the images to train on.

    These are the files in a folder and its sub-folders, or what is in the packed shards or the Parquet files that stand
    in it. Hidden files and folders are left out. Links to folders are followed, but not back to a folder they stand in.

    Args:
        root: Folder of the data set.
        subsets: Sub-folders to take; none given = `train2017` (COCO) or `train` (ImageNet) if there is one, or else
            everything. Of Parquet files those for training are taken, as their names say.
        regions_column: Column of Parquet files that holds regions; None = no region is read.
        max_pixels: Larger label maps in that column are refused.

    Returns:
        At least one image; the same folder gives the same order on any machine.

    Raises:
        ValueError: The folder or a subset does not exist, or holds no image.
    """
    if not root.exists():
        raise ValueError(f"the data folder {root} does not exist")
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder; give the folder that holds the images")
    if files := parquet_files(root):
        _refuse_subsets(root, subsets)
        return _open_parquet(root, split_parquet_files(files)[0], regions_column, max_pixels)
    if is_packed(root):
        shards = Shards(root)
        return ImageSet(root, _training_names(root, shards.names, subsets), shards)
    for subset in subsets:
        if not (root / subset).is_dir():
            raise ValueError(f"{root} has no sub-folder {subset!r}; it has {_folders_in_words(root)}")
    if not subsets:
        subsets = tuple(name for name in _TRAINING_FOLDERS if (root / name).is_dir())[:1]
    names = {name for subset in subsets or (".",) for name in _image_names(root, subset)}
    if not names:
        where = " or ".join(str(root / subset) for subset in subsets) or str(root)
        raise ValueError(
            f"there is no image in {where}; images are files ending in {' '.join(SUFFIXES)}, in .parquet, or packed by "
            "rmae pack"
        )
    return ImageSet(root, tuple(sorted(names)))


def list_all_images(root: Path, subsets: tuple[str, ...] = (), *, regions_column: str | None = None) -> ImageSet:
    """As `list_images`, with the images for validation of a folder in COCO's or ImageNet's layout if it has any."""
    images = list_images(root, subsets, regions_column=regions_column)
    validation = () if subsets else _validation_names(images)
    return images._replace(names=tuple(sorted({*images.names, *validation})))


def split_images(root: Path | None, data: DataConfig, *, seed: int) -> tuple[ImageSet, ImageSet]:
    """Find the images to train on and the pictures held out for the report; no image is in both.

    Args:
        root: Folder of the data set, or None for the photographs that come with scikit-image.
        data: Which sub-folders to train on and how many pictures to hold out. They come from `val2017` or `val`, or
            from the Parquet files for validation, where there are any that are not trained on, or else from the
            training images: at most a tenth of those, but one if there are two.
        seed: Which pictures are held out depends on it.

    Returns:
        The images to train on, and the held-out pictures, `data.held_out` at most.

    Raises:
        ValueError: As `list_images`.
    """
    if root is None:
        if data.subsets:
            raise ValueError(f"subsets {data.subsets} are sub-folders of your data, but no data folder is given")
        return photographs_set(), ImageSet(photographs_folder(), HELD_OUT[: data.held_out])
    column = data.regions.column if isinstance(data.regions, Inside) else None
    images = list_images(root, data.subsets, regions_column=column, max_pixels=data.max_pixels)
    if isinstance(images.container, ParquetImages) and data.held_out:
        files = split_parquet_files(parquet_files(root))[1]
        if files:
            pictures = _open_parquet(root, files, column, data.max_pixels)
            return images, pictures._replace(names=_choose(pictures.names, data.held_out, seed))
    validation = _validation_names(images)
    if validation:
        return images, images._replace(names=_choose(validation, data.held_out, seed))
    num_images = len(images.names)
    num_held_out = min(data.held_out, max(1, num_images // 10)) if num_images > 1 else 0
    held_out = _choose(images.names, num_held_out, seed)
    remaining = set(images.names).difference(held_out)
    return images._replace(names=tuple(sorted(remaining))), images._replace(names=held_out)


def _open_parquet(root: Path, files: tuple[Path, ...], regions_column: str | None, max_pixels: int) -> ImageSet:
    container = ParquetImages(files, regions_column=regions_column, max_pixels=max_pixels)
    return ImageSet(root, container.names, container)


def _refuse_subsets(root: Path, subsets: tuple[str, ...]) -> None:
    if subsets:
        raise ValueError(f"subsets {subsets} are sub-folders, but {root} holds Parquet files; leave them out")


def _training_names(root: Path, names: tuple[str, ...], subsets: tuple[str, ...]) -> tuple[str, ...]:
    """Of packed images those in the subsets, or by default those that a folder of them would train on."""
    folders = sorted({name.split("/")[0] for name in names if "/" in name})
    for subset in subsets:
        if not any(name.startswith(f"{subset}/") for name in names):
            raise ValueError(f"the images packed in {root} are from no folder {subset!r}; there are {folders}")
    if not subsets:
        subsets = tuple(folder for folder in _TRAINING_FOLDERS if folder in folders)[:1]
    return tuple(name for name in names if not subsets or name.startswith(tuple(f"{s}/" for s in subsets)))


def _validation_names(images: ImageSet) -> tuple[str, ...]:
    """Names of the images for validation, in COCO's and ImageNet's layout, unless they are trained on."""
    for folder in _VALIDATION_FOLDERS:
        if any(name.startswith(f"{folder}/") for name in images.names):
            continue
        if isinstance(images.container, Shards):
            found = [name for name in images.container.names if name.startswith(f"{folder}/")]
        else:
            is_folder = images.container is None and (images.root / folder).is_dir()
            found = sorted(_image_names(images.root, folder)) if is_folder else []
        if found:
            return tuple(found)
    return ()


def _choose(names: tuple[str, ...] | list[str], number: int, seed: int) -> tuple[str, ...]:
    order = np.random.default_rng(seed).permutation(len(names))
    return tuple(sorted(names[i] for i in order[:number]))


def _image_names(root: Path, folder: str) -> Iterator[str]:
    """Names relative to root of the images in one of its sub-folders, or in itself for "."."""
    start = root / folder
    prefix = "" if start == root else f"{start.relative_to(root).as_posix()}/"
    yield from _walk(start, prefix, frozenset({os.path.realpath(start)}))


def _walk(folder: Path, prefix: str, above: frozenset[str]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                real = os.path.realpath(entry.path)
                if real not in above:
                    yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", above | {real})
            elif entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                yield f"{prefix}{entry.name}"


def _folders_in_words(root: Path) -> str:
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        return "no sub-folders"
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
