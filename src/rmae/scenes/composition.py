"""Scenes of cut-outs over crops of photographs, with the truth about every pixel."""

from typing import NamedTuple, Self

import numpy as np
from PIL import Image

from rmae.scenes.cut_out_files import CutOutFiles
from rmae.scenes.light import draw_light
from rmae.scenes.scene import EMPTY_SHARE, GROUND, MOST_OBJECTS, Scene
from rmae.scenes.scene_set import Split
from rmae.scenes.turned_cut_outs import Pyramid, TurnedCutOut, draw_turned, make_pyramid

LEAST_VISIBLE = 0.4
"""Share of its area that a thing shows at least; the rest is covered by later ones or outside the picture."""
FEWEST_PIXELS = 12
"""That can be seen of a thing."""
SIDES = (0.2, 0.7)
"""Least and largest longer side of a thing as shares of the picture's shorter side."""
SINGLE_SIDES = (0.5, 0.9)
"""The same where it is alone."""

_MARGIN, _SINGLE_MARGIN = 0.05, 0.4  # at each edge, where no middle lies, as shares of the picture
_NUM_TRIES = 20
_LEAST_CROP = 0.4  # of the sides of the largest crop of a photograph
_SCENE_LIGHT = 0.7


class Materials(NamedTuple):
    """What the scenes of one part of a data set are composed of."""

    things: tuple[tuple[Pyramid, ...], ...]
    """Cut-outs of each class."""
    photographs: tuple[Image.Image, ...]
    """RGB."""
    size_hw: tuple[int, int]
    """Height and width of the scenes in pixels."""
    sides: tuple[float, float]
    """Least and largest longer side of a thing in pixels."""

    @classmethod
    def prepare(cls, files: CutOutFiles, split: Split, *, size_hw: tuple[int, int], sides: tuple[float, float]) -> Self:
        """Resize cut-outs to what scenes of a size need, `sides` being shares of their shorter side."""
        pixels = (sides[0] * min(size_hw), sides[1] * min(size_hw))
        things = tuple(
            tuple(make_pyramid(cut_out, pixels) for cut_out in cut_outs) for cut_outs in files.cut_outs.parts[split]
        )
        return cls(things, files.photographs.parts[split], size_hw, pixels)


def compose_scene(materials: Materials, generator: np.random.Generator) -> Scene:
    """Compose a scene of up to `MOST_OBJECTS` things, or of none.

    Args:
        materials: What it is composed of.
        generator: Where the randomness comes from.

    Returns:
        The scene; later things lie over earlier ones. A thing for which no place is found is left out.
    """
    canvas = Canvas(draw_ground(materials, generator))
    is_empty = generator.random() < EMPTY_SHARE
    num_things = 0 if is_empty else int(generator.integers(1, MOST_OBJECTS + 1))
    for class_ in generator.integers(len(materials.things), size=num_things).tolist():
        thing = _draw_thing(class_, materials, generator)
        for _ in range(_NUM_TRIES):
            place = _draw_place(thing, materials.size_hw, generator, margin=_MARGIN)
            if canvas.has_room(thing, place):
                canvas.lay(thing, place, class_)
                break
    return canvas.finish(generator)


def compose_single(class_: int, materials: Materials, generator: np.random.Generator) -> Scene:
    """Compose a scene with one thing of a class, near its middle."""
    canvas = Canvas(draw_ground(materials, generator))
    thing = _draw_thing(class_, materials, generator)
    canvas.lay(thing, _draw_place(thing, materials.size_hw, generator, margin=_SINGLE_MARGIN), class_)
    return canvas.finish(generator)


class Canvas:
    """A scene while things are laid over each other.

    Args:
        picture: The ground, RGB; it is painted over.
    """

    def __init__(self, picture: Image.Image):
        self._picture = picture
        self._label_map = np.full((picture.height, picture.width), GROUND, dtype=np.int32)
        self._classes: list[int] = []
        self._visible = np.zeros(0, dtype=np.int64)  # pixels of each thing that can be seen
        self._needed = np.zeros(0)  # pixels of each that must be seen

    def has_room(self, thing: TurnedCutOut, place: tuple[int, int]) -> bool:
        """Whether enough of a thing, and of all that lie there, can be seen if it is laid at a place (left, top)."""
        window, part = _overlap(thing, place, self._label_map)
        mask = thing.mask[part]
        if np.count_nonzero(mask) < _needed(thing):
            return False
        return bool((self._visible - self._covered(window, mask) >= self._needed).all())

    def lay(self, thing: TurnedCutOut, place: tuple[int, int], class_: int) -> None:
        """Lay a thing over everything else."""
        self._picture.paste(thing.image, place, thing.image)
        window, part = _overlap(thing, place, self._label_map)
        mask = thing.mask[part]
        self._visible = np.append(self._visible - self._covered(window, mask), np.count_nonzero(mask))
        self._needed = np.append(self._needed, _needed(thing))
        self._label_map[window][mask] = len(self._classes)
        self._classes.append(class_)

    def _covered(self, window: tuple[slice, slice], mask: np.ndarray) -> np.ndarray:
        """Pixels of each thing that a mask would cover there."""
        return np.bincount(self._label_map[window][mask] + 1, minlength=len(self._classes) + 1)[1:]

    def finish(self, generator: np.random.Generator) -> Scene:
        """Change the light of the whole scene."""
        table = draw_light(generator, strength=_SCENE_LIGHT).ravel().tolist()
        return Scene(np.asarray(self._picture.point(table)), self._label_map, np.array(self._classes, dtype=np.int64))


def draw_ground(materials: Materials, generator: np.random.Generator) -> Image.Image:
    """Draw a crop of a photograph, mirrored or not, at the size of a scene."""
    photograph = materials.photographs[generator.integers(len(materials.photographs))]
    height, width = materials.size_hw
    largest = min(photograph.width / width, photograph.height / height)  # of what scenes would fill, side by side
    scale = generator.uniform(min(max(_LEAST_CROP * largest, 1.0), largest), largest)
    left, top = (
        generator.random() * (whole - scale * side)
        for whole, side in zip(photograph.size, (width, height), strict=True)
    )
    # Rounding must not lead over the edge.
    right, bottom = min(left + scale * width, photograph.width), min(top + scale * height, photograph.height)
    # Whole pixels are averaged first, which is much faster and can hardly be seen.
    crop = photograph.resize(
        (width, height), Image.Resampling.HAMMING, box=(left, top, right, bottom), reducing_gap=1.0
    )
    return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if generator.random() < 0.5 else crop


def _draw_thing(class_: int, materials: Materials, generator: np.random.Generator) -> TurnedCutOut:
    of_class = materials.things[class_]
    return draw_turned(of_class[generator.integers(len(of_class))], materials.sides, generator)


def _draw_place(
    thing: TurnedCutOut, size_hw: tuple[int, int], generator: np.random.Generator, *, margin: float
) -> tuple[int, int]:
    """Draw left and top of a thing, whose middle lies off the margins."""
    (height, width), (h, w) = size_hw, thing.mask.shape
    x, y = generator.uniform(margin, 1 - margin, 2).tolist()
    return round(x * width - w / 2), round(y * height - h / 2)


def _needed(thing: TurnedCutOut) -> float:
    """Pixels of a thing that must be seen."""
    return max(LEAST_VISIBLE * np.count_nonzero(thing.mask), FEWEST_PIXELS)


def _overlap(
    thing: TurnedCutOut, place: tuple[int, int], label_map: np.ndarray
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Which pixels of a scene a thing covers, and which of its own those are."""
    window, part = [], []
    for length, start, end in zip(thing.mask.shape, reversed(place), label_map.shape, strict=True):
        first, last = max(start, 0), max(min(start + length, end), 0)
        window.append(slice(first, last))
        part.append(slice(first - start, last - start))
    return (window[0], window[1]), (part[0], part[1])
