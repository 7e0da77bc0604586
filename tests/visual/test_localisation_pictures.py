import numpy as np

from rmae.visual.heat_maps import heat_colours
from rmae.visual.localisation_pictures import PatchMap, localisation_figures
from rmae.visual.outlines import OUTLINE_COLOUR

IMAGE = np.full((48, 96, 3), 120, np.uint8)
MASK = np.zeros((48, 96), dtype=bool)
MASK[8:40, 40:90] = True


def test_a_figure_of_the_object_and_one_of_each_map():
    maps = [PatchMap(np.arange(8.0).reshape(2, 4), name, "AUC 0.5") for name in ("one", "other")]
    figures = localisation_figures(IMAGE, MASK, maps, query=(0, 2))
    assert [figure.title for figure in figures] == ["Object", "one", "other"]
    assert figures[0].caption == "35\N{NO-BREAK SPACE}% of the picture"
    for figure in figures:
        assert figure.image.shape == (128, 256, 3)
        line = (figure.image == OUTLINE_COLOUR).all(axis=-1)
        assert line.any()
        rows, columns = np.flatnonzero(line.any(axis=1)), np.flatnonzero(line.any(axis=0))
        assert (rows[0], columns[0]) == (round(8 * 128 / 48), round(40 * 256 / 96))


def test_the_query_does_not_stretch_the_scale():
    """Though its own value is a hundred times that of all others, the highest of those is bright."""
    values = np.zeros((2, 4))
    values[0, 2], values[1, 0] = 100.0, 1.0
    (_, shown) = localisation_figures(IMAGE, MASK, [PatchMap(values, "a", "")], query=(0, 2))
    brightest, low = shown.image[96, 32].astype(int), shown.image[32, 32].astype(int)
    assert np.abs(brightest - heat_colours()[-1]).max() < 60
    assert (brightest - low).min() > 50


def test_negative_values_are_below_0():
    values = np.array([[-1.0, 0.0, 1.0, 0.5]])
    (_, shown) = localisation_figures(IMAGE, MASK[:, ::-1], [PatchMap(values, "a", "")], query=(0, 3))
    assert (shown.image[4, 96].astype(int) - shown.image[4, 32]).max() > 20
