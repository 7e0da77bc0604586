import pytest

from rmae.scenes.scene_set import MOST_SCENES, SceneSet


def scene_set(**changes) -> SceneSet:
    usual = {"num_train": 4, "num_val": 2, "size_hw": (64, 64), "seed": 0, "by_shape_alone": False}
    return SceneSet(**{**usual, **changes})


def test_every_scene_has_randomness_of_its_own():
    drawn = {
        scene_set(seed=seed).generator(split, index).random()
        for seed in (0, 1)
        for split in ("train", "val")
        for index in range(5)
    }
    assert len(drawn) == 20
    assert scene_set(num_train=9).generator("train", 3).random() == scene_set().generator("train", 3).random()


def test_numbers_are_unique_over_both_splits():
    most = scene_set(num_train=MOST_SCENES, num_val=MOST_SCENES)
    assert (most.num("train"), most.num("val")) == (MOST_SCENES, MOST_SCENES)
    assert most.number("train", 0) == 1
    assert most.number("train", MOST_SCENES - 1) < most.number("val", 0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_train": 0}, r"^num_train is 0; it must lie between 1 and 1,000,000$"),
        ({"num_val": MOST_SCENES + 1}, r"^num_val is 1000001; it must lie between 1 and 1,000,000$"),
        ({"size_hw": (64, 31)}, r"^size_hw is \(64, 31\); give height and width, each of at least 32 pixels, so that"),
        ({"size_hw": (64,)}, r"^size_hw is \(64,\); give height and width"),
        ({"seed": -1}, r"^seed is -1; it must be at least 0$"),
    ],
)
def test_what_is_out_of_range_is_refused(changes: dict, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        scene_set(**changes)
