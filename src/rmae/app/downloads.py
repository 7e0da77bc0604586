"""Files that a visitor takes home: masks at the picture's own size."""

import io
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import PurePath
from typing import Any, NamedTuple, assert_never

import numpy as np
from PIL import Image

from rmae.app.actions import Wanted
from rmae.app.opened_model import OpenedModel
from rmae.app.session import Session
from rmae.evaluation.objects.run_lengths import run_lengths
from rmae.interactive.segmenter import ObjectMask
from rmae.regions.placed_mask import cut_out
from rmae.visual.mask_pictures import mask_colour
from rmae.visual.pictures import show_stored


class File(NamedTuple):
    """What the browser is handed to save."""

    name: str
    media_type: str
    content: bytes


def make_file(session: Session, wanted: Wanted, model: OpenedModel, number: int) -> File:
    """Make a file of all objects that are marked.

    Args:
        session: The visitor's.
        wanted: labels = a PNG with a palette whose pixels are the objects' numbers from 1 on, 0 where there is none
            and the later object where two overlap; cutout = a PNG of the picture that is transparent outside of all
            objects; coco = JSON as COCO's instance files are, with run lengths, boxes, areas, and as `score` the IoU
            that each mask may expect.
        model: Whose masks.
        number: Which of the app's models this is.

    Raises:
        ValueError: Nothing is marked.
    """
    picture = session.opened()
    found = _outlined(session, model, number)
    first = next(found, None)
    if first is None:
        raise ValueError("there is no mask yet; click on an object first")
    found = chain([first], found)
    stem = PurePath(picture.name).stem or "picture"
    match wanted:
        case "labels":
            return File(f"{stem}-masks.png", "image/png", _labels(found, picture.size_hw))
        case "cutout":
            return File(f"{stem}-cutout.png", "image/png", _cutout(found, picture.pixels()))
        case "coco":
            content = json.dumps(_coco(found, picture.name, picture.size_hw, model.name), indent=1)
            return File(f"{stem}-coco.json", "application/json", content.encode())
        case _:
            assert_never(wanted)


def _outlined(session: Session, model: OpenedModel, number: int) -> Iterator[tuple[int, ObjectMask]]:
    """Objects that have a mask, by their places; one after the other, for each is as large as the picture."""
    picture = session.opened()
    for place, marks in enumerate(session.objects):
        outlined = model.outline(picture.sights[number], marks, picture.size_hw)
        if outlined is not None and outlined.mask.any():
            yield place, outlined


def _labels(found: Iterable[tuple[int, ObjectMask]], size_hw: tuple[int, int]) -> bytes:
    labels = np.zeros(size_hw, np.uint8)
    palette = [(0, 0, 0)]
    for number, (place, outlined) in enumerate(found, start=1):
        labels[outlined.mask] = number
        palette.append(mask_colour(place))
    picture = Image.fromarray(labels, mode="P")
    picture.putpalette(np.array(palette, np.uint8).tobytes())
    return _png(picture)


def _cutout(found: Iterable[tuple[int, ObjectMask]], image: np.ndarray) -> bytes:
    height, width = image.shape[:2]
    inside = np.zeros((height, width), bool)
    for _, outlined in found:
        inside |= outlined.mask
    colours = show_stored(image, (height, width))
    # Without what is outside: a transparent pixel still has a colour, which would show the rest of the picture.
    return _png(Image.fromarray(np.dstack([colours * inside[..., None], 255 * inside.astype(np.uint8)])))


def _coco(
    found: Iterable[tuple[int, ObjectMask]], name: str, size_hw: tuple[int, int], model_name: str
) -> dict[str, Any]:
    annotations = []
    for number, (_, outlined) in enumerate(found, start=1):
        placed = cut_out(outlined.mask)
        height, width = placed.pixels.shape
        annotations.append(
            {
                "id": number,
                "image_id": 1,
                "category_id": 1,
                "bbox": [placed.left, placed.top, width, height],
                "area": int(placed.pixels.sum()),
                "iscrowd": 0,
                "segmentation": run_lengths(placed, size_hw),
                "score": round(outlined.confidence, 4),
            }
        )
    return {
        "info": {"description": f"masks from clicks, by {model_name}"},
        "images": [{"id": 1, "file_name": name, "height": size_hw[0], "width": size_hw[1]}],
        "categories": [{"id": 1, "name": "object"}],
        "annotations": annotations,
    }


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()
