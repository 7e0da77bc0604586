"""Make the picture of scenes.md: scenes of cut-outs, and below each what the truth says.

    python docs/make_contact_sheet.py SCENES

SCENES is a folder that `rmae scenes SCENES --cut-outs ... --photographs ... --img-size 160` wrote.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

ASSETS = Path(__file__).parent / "assets"
COLUMNS, ROWS = 6, 2
GROUND = (70, 75, 85)
"""Its colour in panoptic PNGs."""
LARGEST = 120_000  # bytes


def main() -> None:
    """Make the picture of the first scenes to train on."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenes", type=Path)
    root = parser.parse_args().scenes
    pictures = sorted((root / "train2017").iterdir())[: COLUMNS * ROWS]
    tiles = [scene_above_truth(path, root / "panoptic_train2017" / f"{path.stem}.png") for path in pictures]
    rows = [np.concatenate(tiles[first : first + COLUMNS], axis=1) for first in range(0, len(tiles), COLUMNS)]
    out = ASSETS / "cut_out_scenes.jpg"
    for quality in range(90, 50, -5):
        Image.fromarray(np.concatenate(rows)).save(out, quality=quality, optimize=True)
        if out.stat().st_size < LARGEST:
            break
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


def scene_above_truth(picture: Path, segments: Path) -> np.ndarray:
    """A scene, and below it the same with its objects in their colours and its ground dark."""
    with Image.open(picture) as opened, Image.open(segments) as truth:
        scene, colours = (np.asarray(image).astype(np.float32) for image in (opened, truth))
    is_ground = (colours == GROUND).all(axis=-1, keepdims=True)
    return np.concatenate([scene, np.where(is_ground, 0.3 * scene, 0.45 * scene + 0.55 * colours)]).astype(np.uint8)


if __name__ == "__main__":
    main()
