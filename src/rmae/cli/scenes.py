"""Drawing scenes with exact truth."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, assert_never

from rmae.cli.parsing import parse


def scenes(arguments: list[str]) -> None:
    """Draw a data set of scenes."""
    import tyro

    @dataclass(frozen=True, kw_only=True)
    class ScenesArguments:
        """Draw scenes of discs, squares and triangles whose truth is known to the pixel.

        They are written as a data set to train and evaluate on: nothing has to be downloaded to try it. The same
        options give the same bytes.
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
        """What is drawn depends on it; at least 0."""
        by_shape_alone: bool = False
        """Draw things of any class in any colour. Otherwise each class has a hue, which is learned much faster."""

    chosen = parse(ScenesArguments, "scenes", arguments)

    from rmae.scenes import make_class_scenes, make_scenes

    match chosen.layout:
        case "coco":
            make, task, side = make_scenes, "detect", 128
        case "imagenet":
            make, task, side = make_class_scenes, "knn", 64
        case _:
            assert_never(chosen.layout)
    side = side if chosen.img_size is None else chosen.img_size
    out = make(
        chosen.out,
        num_train=chosen.num_train,
        num_val=chosen.num_val,
        size_hw=(side, side),
        seed=chosen.seed,
        by_shape_alone=chosen.by_shape_alone,
    )
    made = f"{chosen.num_train} pictures to train on, {chosen.num_val} to validate on, {side} x {side} pixels"
    print(f"made: {out} ({made})")
    print(f"next: rmae evaluate {task} scratch --data {shlex.quote(str(chosen.out))} --size small")
