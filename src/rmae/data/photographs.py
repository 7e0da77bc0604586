"""Photographs that are on every machine already: those inside scikit-image's package."""

from pathlib import Path

from rmae.data.image_set import ImageSet

TRAINING = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "coins.png",
    "ihc.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
)
"""Names of the photographs to train on, 0.1 to 0.4 megapixels each: those that have regions, unlike grass or gravel."""

HELD_OUT = ("chelsea.png", "coffee.png", "rocket.jpg")
"""Names of the photographs to look at afterwards: a cat, a cup and a launch pad."""

IN_COLOUR = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
"""Names of the photographs in colour, the large ones too: for measurements."""


def photographs_set() -> ImageSet:
    """The photographs to train on."""
    return ImageSet(photographs_folder(), TRAINING)


def photographs_folder() -> Path:
    """Folder of the photographs. Nothing is ever downloaded."""
    import skimage

    return Path(skimage.__file__).parent / "data"
