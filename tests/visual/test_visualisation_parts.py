import math

import numpy as np
import pytest

from rmae.visual.pictures import HIDDEN_COLOUR
from rmae.visual.visualisation_page import View
from rmae.visual.visualisation_parts import (
    Attention,
    Author,
    Features,
    Reconstruction,
    RegionGuess,
    attention_part,
    feature_part,
    reconstruction_part,
    region_part,
)

RMAE, MAE = Author("R-MAE", "r-mae"), Author("MAE", "mae")
PHOTO = View("01-cat/picture.png", np.full((300, 400, 3), 200, np.uint8), "Picture", "400 x 300 pixels")
HIDDEN = {0.5: np.array([[True, False], [True, False]]), 0.75: np.array([[True, False], [True, True]])}


def reconstruction(author: Author, ratio: float, hidden: np.ndarray | None = None) -> Reconstruction:
    seen = np.full((16, 16, 3), 50, np.uint8)
    hidden = HIDDEN[ratio] if hidden is None else hidden
    return Reconstruction(author, ratio, seen, hidden, seen + np.uint8(100), 0.123, 0.2)


def guess(author: Author, number: int, ratio: float, *, iou: float = 0.6) -> RegionGuess:
    region = np.zeros((16, 16), bool)
    region[:8] = True
    return RegionGuess(author, number, ratio, region, HIDDEN[ratio], region.astype(np.float32), iou, 0.25)


def test_reconstructions_stand_below_what_was_seen_a_column_a_ratio() -> None:
    found = [reconstruction(author, ratio) for author in (RMAE, MAE) for ratio in (0.5, 0.75)]
    part = reconstruction_part(PHOTO, found, "01-cat")
    [strip] = part.strips
    assert [column.heading for column in strip.columns] == [
        "",
        "50\N{NO-BREAK SPACE}% hidden",
        "75\N{NO-BREAK SPACE}% hidden",
    ]
    assert strip.columns[0].views == (PHOTO,)
    views = strip.columns[2].views
    assert [view.file for view in views] == [
        "01-cat/visible-75-r-mae.png",
        "01-cat/reconstruction-75-r-mae.png",
        "01-cat/reconstruction-75-mae.png",
    ]
    assert [view.title for view in views] == ["Visible patches", "R-MAE", "MAE"]
    assert views[0].caption == "1 of 4 patches"
    assert views[1].caption.replace("\N{NO-BREAK SPACE}", " ") == "error 12 %, flat guess 20 %"
    assert {view.image.shape for view in views} == {(300, 400, 3)}
    assert tuple(views[0].image[250, 100]) == HIDDEN_COLOUR
    assert tuple(views[0].image[100, 300]) == (50, 50, 50)
    assert (views[1].image == 150).all()


def test_a_model_that_sees_other_patches_shows_them() -> None:
    found = [reconstruction(RMAE, 0.5), reconstruction(MAE, 0.5, np.array([[True, False, False, True]]))]
    [strip] = reconstruction_part(PHOTO, found, "f").strips
    assert [view.file for view in strip.columns[1].views] == [
        "f/visible-50-r-mae.png", "f/reconstruction-50-r-mae.png",
        "f/visible-50-mae.png", "f/reconstruction-50-mae.png",
    ]  # fmt: skip


def test_each_region_has_a_strip() -> None:
    regions = np.zeros((2, 300, 400), bool)
    regions[0, :150] = regions[1, :, :100] = True
    found = [guess(author, number, ratio) for author in (RMAE, MAE) for ratio in (0.5, 0.75) for number in (0, 1)]
    part = region_part(PHOTO, regions, found, "f")
    assert [strip.heading for strip in part.strips] == ["Region 1", "Region 2"]
    whole, half, _ = part.strips[1].columns
    assert (whole.views[0].file, whole.views[0].caption) == ("f/region-2.png", "25\N{NO-BREAK SPACE}% of the picture")
    assert [view.file for view in half.views] == [
        "f/region-2-visible-50-r-mae.png", "f/region-2-completed-50-r-mae.png", "f/region-2-completed-50-mae.png",
    ]  # fmt: skip
    assert half.views[0].caption == "50\N{NO-BREAK SPACE}% of the region"
    assert half.views[1].caption == "IoU 0.60, baseline 0.25"
    assert tuple(half.views[0].image[10, 10]) == HIDDEN_COLOUR
    files = [view.file for strip in part.strips for column in strip.columns for view in column.views]
    assert len(set(files)) == len(files) == 2 * (1 + 2 * 3)


def test_what_the_model_cannot_know_is_said() -> None:
    unseen = guess(RMAE, 0, 0.75)._replace(region=np.eye(16, dtype=bool)[::-1] & (np.arange(16) < 8))
    complete = guess(RMAE, 0, 0.5, iou=math.nan)
    part = region_part(PHOTO, np.ones((1, 300, 400), bool), [complete, unseen], "f")
    captions = [view.caption for column in part.strips[0].columns[1:] for view in column.views]
    assert captions[1] == "IoU \N{EN DASH} (nothing of it is hidden)"
    assert captions[2] == "nothing of the region"


def attention(author: Author, *, class_share: float | None = 0.1, registers: float = 0.0) -> Attention:
    heads = np.zeros((2, 2, 2), np.float32)
    heads[0, 0, 0], heads[1] = 0.8, 0.2
    return Attention(author, (1, 0), heads, class_share, registers)


def test_attention_has_a_column_for_each_patch_and_a_row_for_each_encoder() -> None:
    found = [[attention(RMAE), attention(MAE)]] * 3
    part = attention_part(PHOTO, found, "f")
    [strip] = part.strips
    assert [column.heading for column in strip.columns] == ["Patch 1", "Patch 2", "Patch 3"]
    assert [view.file for view in strip.columns[1].views] == ["f/attention-2-r-mae.png", "f/attention-2-mae.png"]
    assert [words for words, _ in part.folded] == ["Each head of R-MAE", "Each head of MAE"]
    assert [view.file for view in part.folded[1][1]] == [f"f/heads-{i}-mae.png" for i in (1, 2, 3)]
    assert strip.columns[0].views[0].image.shape == (300, 400, 3)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (attention(MAE), "half on 1 of 4 patches\nclass token 10 %"),  # 0.5 of 0.8
        (attention(MAE, class_share=None), "half on 1 of 4 patches"),
        (attention(MAE, registers=0.25), "half on 1 of 4 patches\nclass token 10 %\nregisters 25 %"),
        (attention(MAE, class_share=None)._replace(heads=np.full((1, 4, 5), 0.05)), "half on 10 of 20 patches"),
        (attention(MAE, class_share=None)._replace(heads=np.full((1, 4, 5), 0.01)), "half on 10 of 20 patches"),
    ],
)
def test_how_concentrated_attention_is_and_what_goes_elsewhere(given: Attention, words: str) -> None:
    [strip] = attention_part(PHOTO, [[given]], "f").strips
    assert strip.columns[0].views[0].caption.replace("\N{NO-BREAK SPACE}", " ") == words


def test_features_stand_beside_the_picture() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    [strip] = feature_part(PHOTO, [Features(RMAE, colours, 0.61), Features(MAE, colours[:1], 0.3)], "f").strips
    views = [column.views[0] for column in strip.columns]
    assert [view.file for view in views] == ["01-cat/picture.png", "f/features-r-mae.png", "f/features-mae.png"]
    np.testing.assert_array_equal(views[1].image[50::100, 50::100], colours)
    assert views[1].caption == "4 \N{MULTIPLICATION SIGN} 3 patches\n61\N{NO-BREAK SPACE}% of the variance"
