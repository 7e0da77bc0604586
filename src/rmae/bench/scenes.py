"""How fast scenes of cut-outs are composed and written."""

import tempfile
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from rmae.bench.machine import describe_machine
from rmae.bench.stopwatch import time_side_by_side
from rmae.scenes.composition import SIDES, Materials, compose_scene
from rmae.scenes.cut_out_files import CutOutFiles
from rmae.scenes.cut_out_scenes import make_cut_out_scenes
from rmae.scenes.scene_set import SceneSet

_PACKAGES = ("numpy", "pillow", "pycocotools")


def measure_scenes(files: CutOutFiles, *, size_hw: tuple[int, int], num_scenes: int, repeats: int) -> dict[str, Any]:
    """Time scenes of cut-outs in COCO's layout, in this process.

    Args:
        files: What they are composed of; that it was read is not counted.
        size_hw: Height and width of the scenes in pixels.
        num_scenes: How many are made in a round, at least 1.
        repeats: Rounds, at least 1.

    Returns:
        Median milliseconds a scene to compose it, and to make it, with everything written to a temporary folder and
        flushed to the disk and with all that is done once for a data set; scenes a second; what they were measured on.

    Raises:
        ValueError: The size is too small.
    """
    scenes = SceneSet(num_train=num_scenes, num_val=1, size_hw=size_hw, seed=0)
    materials = Materials.prepare(files, "train", size_hw=size_hw, sides=SIDES)
    with tempfile.TemporaryDirectory() as folder:  # deleting is not counted either
        outs = (Path(folder, str(round_)) for round_ in count())
        milliseconds = time_side_by_side(
            {
                "compose": partial(_compose, materials, scenes),
                "make": lambda: _make(files, scenes, next(outs)),
            },
            repeats=repeats,
        )
    ms = {name: value / num_scenes for name, value in milliseconds.items()}
    return {
        "ms_a_scene": ms,
        "scenes_a_second": 1000 / ms["make"],
        "size_hw": list(size_hw),
        "num_scenes": num_scenes,
        "repeats": repeats,
        "files": str(files),
        "machine": describe_machine(_PACKAGES),
    }


def _compose(materials: Materials, scenes: SceneSet) -> None:
    for index in range(scenes.num_train):
        compose_scene(materials, scenes.generator("train", index))


def _make(files: CutOutFiles, scenes: SceneSet, out: Path) -> None:
    make_cut_out_scenes(out, files, num_train=scenes.num_train, num_val=1, size_hw=scenes.size_hw, num_workers=0)
