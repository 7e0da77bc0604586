from rmae.data.images import read_image
from rmae.data.photographs import HELD_OUT, TRAINING, photographs_folder


def test_all_photographs_are_there_and_of_moderate_size():
    for name in TRAINING + HELD_OUT:
        image = read_image(photographs_folder() / name, channels=3, max_pixels=500_000)
        assert image.std() > 10, name


def test_no_photograph_is_both_trained_on_and_held_out():
    assert not set(TRAINING) & set(HELD_OUT)
    assert list(TRAINING) == sorted(TRAINING)
