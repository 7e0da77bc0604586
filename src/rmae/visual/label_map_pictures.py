"""Label maps of fixed classes as pictures: each class has its colour, on every page the same."""

from functools import cache

import numpy as np
from PIL import Image

from rmae.visual.evaluation_report import ExampleFigure
from rmae.visual.pictures import css_colour, show_stored
from rmae.visual.region_colours import REGION_COLOURS
from rmae.visual.region_pictures import BORDER_COLOUR, label_borders, shown_size

_FLATNESS = 0.72  # share of a class's colour; the rest is the picture, in grey
_DIMMED = 0.35  # brightness of what has no class
_DARK_GREYS = np.repeat(np.arange(0, 128, 16)[:, None], 3, axis=1)  # which classes would look like what has none
_LEVELS = np.arange(16, 256, 24)  # of red, green and blue in colours to choose from
# What is left of linear red, green and blue without one kind of cones (Machado, Oliveira, Fernandes, "A
# physiologically-based model for simulation of color vision deficiency", 2009, table 1, severity 1).
_PROTANOPIA = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
_DEUTERANOPIA = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
_VISIONS = (np.eye(3), np.array(_PROTANOPIA), np.array(_DEUTERANOPIA))


@cache
def class_colours(num_classes: int) -> tuple[tuple[int, int, int], ...]:
    """Choose the colours of classes.

    The first seven are Okabe's and Ito's; each further one is as far as can be from all before it and from the dark
    grey of what has no class, to eyes that lack red or green cones as to others.

    Args:
        num_classes: At least 1.

    Returns:
        RGB in 0..255; those of fewer classes are the first of those of more.
    """
    grid = np.stack(np.meshgrid(_LEVELS, _LEVELS, _LEVELS, indexing="ij"), axis=-1).reshape(-1, 3)
    candidates = np.concatenate([np.array(REGION_COLOURS), grid])
    seen = _as_seen(candidates)  # (visions, candidates, 3)
    nearest = np.min([_distances(seen, grey) for grey in _as_seen(_DARK_GREYS).swapaxes(0, 1)], axis=0)
    chosen: list[int] = []
    for place in range(num_classes):
        best = place if place < len(REGION_COLOURS) else int(nearest.argmax())
        chosen.append(best)
        nearest = np.minimum(nearest, _distances(seen, seen[:, best]))
    return tuple((int(red), int(green), int(blue)) for red, green, blue in candidates[chosen])


def draw_classes(photo: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw the classes of pixels over a picture.

    Args:
        photo: Shape (H, W, 3) uint8.
        labels: Classes from 0, negative where a pixel has none; shape (H, W), integer.

    Returns:
        Shape (H, W, 3) uint8: classes in flat colours with a trace of the picture, what has none in dark grey, and a
        line of one pixel where two of these meet.
    """
    grey = np.asarray(Image.fromarray(photo).convert("L"), np.float32)[..., None]  # (H, W, 1)
    colours = np.array(class_colours(max(1, int(labels.max()) + 1)), np.float32)[np.maximum(labels, 0)]  # (H, W, 3)
    has_class = (labels >= 0)[..., None]
    drawn = np.rint(np.where(has_class, _FLATNESS * colours + (1 - _FLATNESS) * grey, _DIMMED * grey))
    drawn[label_borders(np.maximum(labels, -1))] = BORDER_COLOUR
    return drawn.astype(np.uint8)


def label_map_figures(image: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> tuple[ExampleFigure, ...]:
    """Show a picture, its labels, and what was predicted.

    Args:
        image: Shape (H, W, 3) uint8.
        truth: Classes from 0, negative where a pixel has none; shape (H, W), integer.
        predicted: The same, without pixels that have none.

    Returns:
        Three figures of one size, their longer side between 320 and 640 pixels.
    """
    height, width = truth.shape
    size_hw = shown_size(height, width)
    photo = show_stored(image, size_hw)
    labelled = truth >= 0
    right = float((truth == predicted)[labelled].mean()) if labelled.any() else None
    caption = "No pixel has a label." if right is None else f"{right:.1%} of the labelled pixels are right."
    return (
        ExampleFigure(photo, "Picture", f"{width} \N{MULTIPLICATION SIGN} {height} pixels"),
        ExampleFigure(draw_classes(photo, _resize_labels(truth, size_hw)), "Truth", _share_labelled(labelled)),
        ExampleFigure(draw_classes(photo, _resize_labels(predicted, size_hw)), "Prediction", caption),
    )


def class_legend(names: tuple[str, ...], present: np.ndarray) -> tuple[tuple[str, str], ...]:
    """What the colours of classes mean.

    Args:
        names: Of all classes.
        present: Classes that are to be seen, integer, any shape; negative ones have no entry.

    Returns:
        Colours as a style sheet writes them with the names of their classes, in the order of the classes.
    """
    colours = class_colours(len(names))
    return tuple((_as_drawn(colours[i]), names[i]) for i in np.unique(present[present >= 0]).tolist())


def _as_drawn(colour: tuple[int, int, int]) -> str:
    """A colour over the middle of grey, as a style sheet writes it."""
    red, green, blue = (round(_FLATNESS * value + (1 - _FLATNESS) * 128) for value in colour)
    return css_colour((red, green, blue))


def _share_labelled(labelled: np.ndarray) -> str:
    return "" if labelled.all() else f"{labelled.mean():.1%} of its pixels have a label."


def _resize_labels(labels: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    height, width = size_hw
    picture = Image.fromarray(labels.astype(np.int32))
    return np.asarray(picture.resize((width, height), Image.Resampling.NEAREST))


def _as_seen(colours: np.ndarray) -> np.ndarray:
    """Colours (N, 3) in 0..255 as each kind of eyes sees them, in Lab; shape (visions, N, 3)."""
    from skimage.color import rgb2lab

    scaled = colours / 255
    linear = np.where(scaled <= 0.04045, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4)
    seen = np.clip([linear @ vision.T for vision in _VISIONS], 0, 1)
    encoded = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    return rgb2lab(encoded)


def _distances(seen: np.ndarray, one: np.ndarray) -> np.ndarray:
    """How far colours (visions, N, 3) are from one (visions, 3) to those who tell them apart worst; shape (N,)."""
    return np.linalg.norm(seen - one[:, None], axis=-1).min(axis=0)
