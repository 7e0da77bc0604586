"""Everything that scenes of cut-outs are composed of."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from rmae.scenes.cut_outs import CutOuts, in_words, read_class_folders
from rmae.scenes.photographs import Photographs, read_photographs

MOST_CLASSES = 254
"""So that a class and the ground fit into a byte."""


class CutOutFiles(NamedTuple):
    """Cut-outs and photographs, each divided between training and validation by what its file holds."""

    cut_outs: CutOuts
    """Things, by class."""
    photographs: Photographs
    """What they are laid on."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in alphabetical order."""
        return self.cut_outs.classes

    def __str__(self) -> str:
        """What is used, and what is not and why, in one line."""
        things, grounds = self.cut_outs.parts, self.photographs.parts
        by_class = ", ".join(
            f"{name} {len(train)} + {len(val)}"
            for name, train, val in zip(self.classes, things["train"], things["val"], strict=True)
        )
        return (
            f"cut-outs to train on + to validate on: {by_class}; left out: {in_words(self.cut_outs.left_out)}; "
            f"photographs: {len(grounds['train'])} + {len(grounds['val'])}; left out: "
            f"{in_words(self.photographs.left_out)}"
        )


def read_cut_outs(
    cut_outs: str | Path,
    photographs: str | Path,
    *,
    classes: Collection[str] | None = None,
    min_cut_outs: int = 8,
    min_colours: int = 1000,
) -> CutOutFiles:
    """Read cut-outs and photographs to compose scenes of.

    Which file belongs to training and which to validation follows from its bytes alone: about a quarter of each class
    and of the photographs is for validation, whatever the seed of the scenes is. Files of the same bytes count once.

    Args:
        cut_outs: Folder of pictures with transparency: PNG, WebP, GIF or TIFF. The class of a picture is the first
            folder below. One is used if some of it is opaque and some is not, and its opaque part is at least 32 pixels
            long. At most 512 pixels of a side are kept.
        photographs: Folder of pictures of any kind, at any depth, whose shorter side has at least 128 pixels. At most
            256 are used, and 1024 pixels of a side.
        classes: Names of the classes to take; None = all that have enough cut-outs.
        min_cut_outs: Classes with fewer usable ones are left out unless `classes` names them; at least 2.
        min_colours: Pictures whose opaque part has fewer different colours are taken for drawings and left out; at
            least 1.

    Returns:
        What `make_cut_out_scenes` and `make_cut_out_classes` take. As a string it says what was used, what was not,
        and why.

    Raises:
        ValueError: A folder is missing, has nothing that can be used or no class of a name that is given, or a number
            is out of its range.

    Example:
        >>> import rmae
        >>> files = rmae.read_cut_outs("stamps", "photographs", classes=("animals", "food"))  # doctest: +SKIP
        >>> rmae.make_cut_out_scenes("scenes", files, num_train=4000)  # doctest: +SKIP
    """
    for name, number, least in (("min_cut_outs", min_cut_outs, 2), ("min_colours", min_colours, 1)):
        if number < least:
            raise ValueError(f"{name} is {number}; it must be at least {least}")
    folders = {"cut-outs": Path(cut_outs), "photographs": Path(photographs)}
    for what, folder in folders.items():
        if not folder.is_dir():
            fault = "is not a folder" if folder.exists() else "does not exist"
            raise ValueError(f"the folder of {what}, {folder}, {fault}")
    things = read_class_folders(
        folders["cut-outs"], classes=classes, min_cut_outs=min_cut_outs, min_colours=min_colours
    )
    if "ground" in things.classes:
        raise ValueError(
            f"{cut_outs} has a class called ground, which is what lies behind the things; rename its folder"
        )
    if len(things.classes) > MOST_CLASSES:
        raise ValueError(f"{cut_outs} has {len(things.classes)} classes; name at most {MOST_CLASSES} with classes")
    return CutOutFiles(things, read_photographs(folders["photographs"]))
