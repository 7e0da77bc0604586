"""Making scenes with exact truth."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, assert_never

from rmae.cli.parsing import UsageError, parse

if TYPE_CHECKING:
    from rmae.scenes.cut_out_files import CutOutFiles


@dataclass(frozen=True, kw_only=True)
class Composing:
    """Scenes of photographic cut-outs on photographs, in place of drawn ones."""

    cut_outs: Path | None = None
    """Folder with a folder for each class, of pictures with transparency; None = draw."""
    photographs: Path | None = None
    """Folder of photographs to lay cut-outs on."""
    classes: tuple[str, ...] | None = None
    """Classes of cut-outs to take; None = all that have enough."""
    min_cut_outs: int | None = None
    """Classes with fewer usable cut-outs are left out, unless --classes names them; None = 8."""
    min_colours: int | None = None
    """Cut-outs of fewer different colours are taken for drawings and left out; None = 1000."""
    num_workers: int | None = None
    """Processes that compose scenes; 0 = this one, None = one a core."""


def scenes(arguments: list[str]) -> None:
    """Make a data set of scenes."""
    import tyro

    @dataclass(frozen=True, kw_only=True)
    class ScenesArguments:
        """Make scenes whose truth is known to the pixel, as a data set to train and evaluate on.

        They are drawn, of discs, squares and triangles, with nothing to download; or they are composed of photographic
        cut-outs on crops of photographs. The same options and files give the same bytes.
        """

        out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
        """Folder to write, new or empty."""
        layout: Literal["coco", "imagenet"] = "coco"
        """coco = up to five objects a picture, with instances and panoptic segments; imagenet = one object a picture,
        in a folder for each class."""
        num_train: int = 400
        """Pictures to train on."""
        num_val: int = 100
        """Pictures to validate on."""
        img_size: int | None = None
        """Pixels on each side, at least 32; None = 128 in COCO's layout, 64 in ImageNet's."""
        seed: int = 0
        """What is seen where depends on it; at least 0."""
        by_shape_alone: bool = False
        """Draw things of any class in any colour. Otherwise each class has a hue, which is learned much faster."""
        composing: Composing = field(default_factory=Composing)

    chosen = parse(ScenesArguments, "scenes", arguments)
    files = _read(chosen.composing, by_shape_alone=chosen.by_shape_alone)

    from rmae.scenes import make_class_scenes, make_cut_out_classes, make_cut_out_scenes, make_scenes

    match chosen.layout:
        case "coco":
            draw, compose, task, side = make_scenes, make_cut_out_scenes, "detect", 128
        case "imagenet":
            draw, compose, task, side = make_class_scenes, make_cut_out_classes, "knn", 64
        case _:
            assert_never(chosen.layout)
    side = side if chosen.img_size is None else chosen.img_size
    num_train, num_val = chosen.num_train, chosen.num_val
    same: dict[str, Any] = {"num_train": num_train, "num_val": num_val, "size_hw": (side, side), "seed": chosen.seed}
    if files is None:
        out = draw(chosen.out, **same, by_shape_alone=chosen.by_shape_alone)
    else:
        print(files)
        out = compose(chosen.out, files, **same, num_workers=chosen.composing.num_workers)
    print(f"made: {out} ({num_train} pictures to train on, {num_val} to validate on, {side} x {side} pixels)")
    print(f"next: rmae evaluate {task} scratch --data {shlex.quote(str(chosen.out))} --size small")


def _read(composing: Composing, *, by_shape_alone: bool) -> "CutOutFiles | None":
    """What to compose scenes of; None = they are drawn."""
    if composing.cut_outs is None:
        for name, value in vars(composing).items():
            if value is not None:
                flag = name.replace("_", "-")
                raise UsageError(
                    f"--{flag} goes with --cut-outs, the folder of what to compose scenes of; give that too"
                )
        return None
    if composing.photographs is None:
        raise UsageError("--cut-outs goes with --photographs, the folder of pictures to lay them on; give that too")
    if by_shape_alone:
        raise UsageError("--by-shape-alone is for drawn scenes, and with --cut-outs none are drawn; leave one out")

    from rmae.scenes import read_cut_outs

    return read_cut_outs(
        composing.cut_outs,
        composing.photographs,
        classes=composing.classes,
        min_cut_outs=8 if composing.min_cut_outs is None else composing.min_cut_outs,
        min_colours=1000 if composing.min_colours is None else composing.min_colours,
    )
