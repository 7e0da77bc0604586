import numpy as np

from rmae.app.marks import Marks, Point
from rmae.app.picture import Picture
from rmae.app.session import RegionMaps, Session, ShownMask
from rmae.app.views import draw_overlay, draw_regions
from rmae.visual.mask_pictures import draw_masks, mask_colour

HW = (60, 80)


def marks(x: float) -> Marks:
    return (Point(x=x, y=1, positive=True),)


def session_with(photo: np.ndarray, masks: list[np.ndarray | None]) -> Session:
    """A session whose objects have these masks already."""
    picture = Picture(number=1, name="x.png", size_hw=HW, encoded=b"", channels=3, shown=photo, sights=())
    return Session(
        picture=picture,
        objects=tuple(marks(number) for number in range(len(masks))),
        masks={
            (0, marks(number)): None if mask is None else ShownMask(np.packbits(mask), 0.1, 0.9)
            for number, mask in enumerate(masks)
        },
    )


def disc(row: int, column: int, radius: int) -> np.ndarray:
    rows, columns = np.mgrid[: HW[0], : HW[1]]
    return (rows - row) ** 2 + (columns - column) ** 2 < radius**2


def test_an_overlay_laid_over_the_picture_is_the_picture_with_its_masks():
    photo = np.random.default_rng(0).integers(0, 256, (*HW, 3), dtype=np.uint8)
    masks = [disc(20, 20, 15), disc(30, 50, 20), disc(25, 35, 8)]
    overlay = draw_overlay(session_with(photo, [*masks]), 0)
    assert overlay is not None

    alpha = overlay[..., 3:] / 255
    laid_over = alpha * overlay[..., :3] + (1 - alpha) * photo

    assert abs(laid_over - draw_masks(photo, masks)).max() < 2.5  # both are rounded, and one of them twice
    assert not overlay[55:, :5].any()


def test_objects_keep_their_colours_where_others_have_no_mask():
    photo = np.zeros((*HW, 3), np.uint8)
    mask = disc(30, 40, 10)
    overlay = draw_overlay(session_with(photo, [None, mask]), 0)
    assert overlay is not None

    assert mask_colour(1) in {tuple(pixel) for pixel in overlay[mask][:, :3].tolist()}


def test_no_mask_is_no_overlay():
    assert draw_overlay(session_with(np.zeros((*HW, 3), np.uint8), [None]), 0) is None


def test_one_map_or_all_maps_are_drawn():
    photo = np.full((*HW, 3), 128, np.uint8)
    halves = np.zeros((2, *HW), np.int32)
    halves[0, :, 40:], halves[1, 30:] = 1, 1
    regions = RegionMaps(0, halves, "")

    one, other, both = (draw_regions(regions, which, photo) for which in (0, 1, None))

    assert (one[5, 5] == one[55, 5]).all()
    assert (one[5, 5] != one[5, 75]).any()
    assert (other[5, 5] == other[5, 75]).all()
    assert (other[5, 5] != other[55, 5]).any()
    assert both.shape == photo.shape
    assert (draw_regions(RegionMaps(0, halves[:0], ""), None, photo) == photo).all()
