"""Felzenszwalb regions and GrabCut, clicked on."""

import sys

import numpy as np
import pytest

from rmae.evaluation.interactive.clicks import overlap, simulate
from rmae.evaluation.interactive.felzenszwalb_method import FelzenszwalbMethod
from rmae.evaluation.interactive.grabcut import GrabCutMethod, import_opencv
from rmae.evaluation.interactive.method import Click
from rmae.regions.felzenszwalb import felzenszwalb

ROWS, COLUMNS = np.mgrid[:96, :128]
DISC = (ROWS - 50) ** 2 + (COLUMNS - 60) ** 2 < 25**2
BOX = (abs(ROWS - 20) < 12) & (abs(COLUMNS - 108) < 12)


def picture(noise: int = 0) -> np.ndarray:
    """A disc and a box of one colour each on flat ground."""
    image = np.full((96, 128, 3), (60, 120, 60), np.int64)
    image[DISC] = (200, 60, 60)
    image[BOX] = (60, 60, 200)
    return (image + np.random.default_rng(0).integers(-noise, noise + 1, image.shape)).astype(np.uint8)


@pytest.fixture(params=["felzenszwalb", "grabcut"])
def method(request):
    if request.param == "grabcut":
        return GrabCutMethod(side=128)
    return FelzenszwalbMethod(scale=100)


@pytest.mark.parametrize("noise", [0, 12])
@pytest.mark.parametrize("mask", [DISC, BOX], ids=["disc", "box"])
def test_a_clean_object_on_flat_ground_takes_one_click(method, mask: np.ndarray, noise: int):
    method.set_image(picture(noise), "any")
    # Smoothing makes a slope of an edge, of which the segmentation may give a part to either side.
    assert simulate(method, mask, 1).iou[0] > (0.95 if isinstance(method, GrabCutMethod) else 0.8)


def test_answers_depend_on_the_clicks_alone(method):
    clicks = [Click(60.5, 50.5, True), Click(108.5, 20.5, False), Click(60.5, 30.5, True)]
    method.set_image(picture(30), "any")
    first = [method.segment(clicks[: number + 1]).mask for number in range(3)]
    method.set_image(picture(5), "another")
    method.segment(clicks)
    method.set_image(picture(30), "any")
    for number in (2, 0, 1):
        np.testing.assert_array_equal(method.segment(clicks[: number + 1]).mask, first[number])


def test_answers_have_the_size_of_the_picture_and_no_confidence(method):
    for size in ((1, 1), (1, 7), (5, 2), (40, 300)):
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        method.set_image(image, "any")
        clicks = [Click(0.5, 0.5, True), Click(size[1] - 0.5, size[0] - 0.5, False)]
        for answer in (method.segment(clicks[:1]), method.segment(clicks)):
            assert (answer.mask.shape, answer.mask.dtype) == (size, np.bool_)
            assert np.isnan(answer.confidence)
    method.set_image(np.full((50, 60, 3), 9, np.uint8), "flat")
    assert method.segment([Click(30.5, 20.5, True)]).mask[20, 30]


def test_regions_under_positive_clicks_are_taken():
    method = FelzenszwalbMethod(scale=100)
    image = picture(12)
    method.set_image(image, "any")
    (labels,) = felzenszwalb(image, scales=(100,))
    on_disc, on_box, on_ground = Click(60.5, 50.5, True), Click(108.5, 20.5, True), Click(5.5, 90.5, True)
    found = method.segment([on_disc, on_box]).mask
    np.testing.assert_array_equal(found, np.isin(labels, [labels[50, 60], labels[20, 108]]))
    both = method.segment([on_disc, on_ground, on_box._replace(positive=False)]).mask
    np.testing.assert_array_equal(both, np.isin(labels, [labels[50, 60], labels[90, 5]]))


def test_a_region_with_clicks_of_both_kinds_is_shared_out():
    method = FelzenszwalbMethod(scale=100)
    method.set_image(np.full((40, 60, 3), 100, np.uint8), "flat")
    left, right = Click(10.5, 20.5, True), Click(30.5, 20.5, False)
    found = method.segment([left, right]).mask
    np.testing.assert_array_equal(found, np.arange(60)[None] <= np.full((40, 1), 20))  # column 20 is as near to both
    assert not method.segment([right, left]).mask[:, 20].any()  # the earlier one has it
    assert method.segment([left]).mask.all()


def test_grabcut_works_on_a_reduced_picture():
    image = picture().repeat(5, axis=0).repeat(5, axis=1)
    method = GrabCutMethod(side=128)
    method.set_image(image, "large")
    found = method.segment([Click(300, 250, True)]).mask
    assert found.shape == (480, 640)
    assert overlap(found, DISC.repeat(5, axis=0).repeat(5, axis=1)) > 0.93
    np.testing.assert_array_equal(found, found[::5, ::5].repeat(5, axis=0).repeat(5, axis=1))
    small = GrabCutMethod(side=2)
    small.set_image(image, "large")
    assert small.segment([Click(300, 250, True)]).mask.shape == (480, 640)


def test_grabcut_keeps_only_what_hangs_together_with_a_click():
    image = picture()
    image[abs(ROWS - 80) + abs(COLUMNS - 110) < 10] = (200, 60, 60)  # as the disc is
    method = GrabCutMethod(side=128)
    method.set_image(image, "any")
    assert overlap(method.segment([Click(60.5, 50.5, True)]).mask, DISC) > 0.93


def test_grabcut_does_not_depend_on_what_opencv_drew_before():
    cv2 = import_opencv()
    patchwork = (
        np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    )
    method = GrabCutMethod(side=128)
    method.set_image(patchwork, "patchwork")
    found = []
    for seed in range(8):
        cv2.setRNGSeed(seed)
        found.append(method.segment([Click(60.5, 50.5, True)]).mask)
        np.testing.assert_array_equal(found[-1], found[0])


def test_what_is_near_a_click_is_probably_object_for_grabcut():
    """A spot of another colour under the click is larger than the disc that is certain."""
    image = picture(12)
    image[(ROWS - 50) ** 2 + (COLUMNS - 60) ** 2 < 6**2] = (60, 60, 200)
    method = GrabCutMethod(side=128)
    method.set_image(image, "any")
    click = Click(60.5, 50.5, True)
    assert overlap(method.segment([click]).mask, DISC) > 0.95
    away = method.segment([click, Click(60.5, 65.5, False)]).mask
    assert not away[64:67, 59:62].any()  # that is certain, whatever the colours say


def test_the_border_of_the_picture_is_background_for_grabcut_unless_a_click_says_otherwise():
    image = picture(12)
    image[:50, 35:86] = (200, 60, 60)  # it begins at the border
    method = GrabCutMethod(side=128)
    method.set_image(image, "any")
    inside, above = Click(60.5, 25.5, True), Click(60.5, 0.5, True)
    found = method.segment([inside]).mask
    assert found[1:, 60].sum() > 40
    assert not found[0].any()
    assert method.segment([inside, above]).mask[0].sum() == 7  # in the disc of 3.84 pixels


def test_missing_opencv_is_explained(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ValueError, match=r"which is not installed; install it with: pip install 'rmae\[interactive\]'"):
        GrabCutMethod(side=100)
