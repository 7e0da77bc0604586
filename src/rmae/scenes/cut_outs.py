"""Cut-outs: photographed things on nothing, read from a folder for each class."""

import difflib
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from rmae.scenes.likenesses import Likenesses
from rmae.scenes.picture_files import UnreadablePicture, decode, find_pictures, split_by_bytes, without_repeats
from rmae.scenes.scene_set import Split

SMALLEST_CUT_OUT = 32
"""Pixels of the longer side of what is opaque, below which there is too little to see."""
LARGEST_CUT_OUT = 512
"""Pixels of the longer side that are kept; larger ones are reduced."""
OPAQUE = 128
"""Least alpha of a pixel that belongs to a thing: one half of 255."""


class CutOuts(NamedTuple):
    """The cut-outs that can be used."""

    classes: tuple[str, ...]
    """Names of the classes in alphabetical order."""
    parts: dict[Split, tuple[tuple[Image.Image, ...], ...]]
    """The pictures of each class, by part of the data set, at least one each. Their mode is RGBa: colours are
    multiplied by alpha. They are cropped to what is not wholly transparent."""
    left_out: Counter[str]
    """How many files are not used, by reason in words."""


class _Usable(NamedTuple):
    class_: str
    digest: bytes
    image: Image.Image


def read_class_folders(
    folder: Path, *, classes: Collection[str] | None, min_cut_outs: int, min_colours: int
) -> CutOuts:
    """Read cut-outs from a folder; arguments and errors are those of `cut_out_files.read_cut_outs`."""
    paths = find_pictures(folder)
    by_class: dict[str, list[Path]] = {}
    for path in paths:
        parts = path.relative_to(folder).parts
        if len(parts) > 1:
            by_class.setdefault(parts[0], []).append(path)
    if not by_class:
        raise ValueError(
            f"there is no picture in a folder of {folder}; give a folder with a folder for each class, as in "
            f"{folder / 'animals' / 'dog.png'}"
        )
    for name in sorted(set(classes or ()) - set(by_class)):
        near = difflib.get_close_matches(name, by_class, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(by_class))}"
        raise ValueError(f"{folder} has no class {name!r} with pictures in it ({hint})")
    chosen = {name: files for name, files in sorted(by_class.items()) if classes is None or name in classes}
    left_out: Counter[str] = Counter()
    if outside := len(paths) - sum(map(len, by_class.values())):
        left_out["in no folder of a class"] = outside
    usable = list(_read_usable(chosen, min_colours, left_out))
    numbers = Counter(item.class_ for item in usable)
    least = min_cut_outs if classes is None else 2
    few = [name for name in chosen if numbers[name] < least]
    if few and classes is not None:
        raise ValueError(
            f"the class {few[0]} has {numbers[few[0]]} usable cut-out(s) of {len(chosen[few[0]])} file(s), and there "
            f"must be at least 2, one to train on and one to validate on; left out: {in_words(left_out)}"
        )
    kept = tuple(name for name in chosen if name not in few)
    if not kept:
        raise ValueError(
            f"no class in {folder} has {least} usable cut-outs; lower min_cut_outs or choose another folder; "
            f"left out: {in_words(left_out)}"
        )
    if few_files := sum(numbers[name] for name in few):
        left_out[f"in classes of fewer than {least} ({', '.join(name for name in few if numbers[name])})"] = few_files
    split = [split_by_bytes([(item.digest, item.image) for item in usable if item.class_ == name]) for name in kept]
    return CutOuts(
        classes=kept,
        parts={"train": tuple(part["train"] for part in split), "val": tuple(part["val"] for part in split)},
        left_out=left_out,
    )


def in_words(left_out: Counter[str]) -> str:
    """What is not used and why, the most frequent reason first; `nothing` if there is none."""
    return ", ".join(f"{number} {reason}" for reason, number in left_out.most_common()) or "nothing"


def _read_usable(by_class: dict[str, list[Path]], min_colours: int, left_out: Counter[str]) -> Iterator[_Usable]:
    classes = {path: name for name, files in by_class.items() for path in files}
    likenesses: dict[str, Likenesses] = {}
    num_contents = 0
    for path, digest in without_repeats(list(classes)):
        num_contents += 1
        try:
            image = decode(path)[0]
        except UnreadablePicture:
            left_out["unreadable"] += 1
            continue
        fault = "without transparency" if not image.has_transparency_data else ""
        if not fault:
            image = image.convert("RGBA")
            fault = _find_fault(np.asarray(image), min_colours)
        if fault:
            left_out[fault] += 1
            continue
        image = _kept_of(image)
        if likenesses.setdefault(classes[path], Likenesses()).has_like(image):
            left_out["the same as another"] += 1
        else:
            yield _Usable(classes[path], digest, image)
    if num_contents < len(classes):
        left_out["the same as another"] += len(classes) - num_contents


def _find_fault(pixels: np.ndarray, min_colours: int) -> str:
    """Why a picture (H, W, 4) is no cut-out; empty if it is one."""
    is_opaque = pixels[..., 3] >= OPAQUE
    if not is_opaque.any() or is_opaque.all():
        return "without transparency" if is_opaque.all() else "wholly transparent"
    rows, columns = (np.flatnonzero(is_opaque.any(axis=axis)) for axis in (1, 0))
    if max(np.ptp(rows), np.ptp(columns)) + 1 < SMALLEST_CUT_OUT:
        return f"smaller than {SMALLEST_CUT_OUT} pixels"
    opaque = pixels[is_opaque][:, :3].astype(np.int32)
    num_colours = len(np.unique(opaque @ np.array([1, 256, 65536], dtype=np.int32)))
    return f"drawn (fewer than {min_colours:,} colours)" if num_colours < min_colours else ""


def _kept_of(image: Image.Image) -> Image.Image:
    """What is used of a picture: cropped to what can be seen, no larger than needed, colours multiplied by alpha."""
    box = image.getchannel("A").getbbox()
    assert box is not None  # something is opaque
    image = image.crop(box).convert("RGBa")
    share = LARGEST_CUT_OUT / max(image.size)
    if share < 1:
        # A filter without negative weights, after which no colour exceeds its alpha.
        size = tuple(max(1, round(side * share)) for side in image.size)
        image = image.resize((size[0], size[1]), Image.Resampling.HAMMING)
    return image
