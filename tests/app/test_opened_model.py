from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import rmae
from rmae.app.marks import Point
from rmae.app.opened_model import OpenedModel, open_model
from rmae.models.attention import attention_maps

POINT = (Point(x=20, y=10, positive=True),)


def noise(seed: int, *, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (40, 60, 3), dtype=dtype)


def test_a_mask_is_that_of_the_segmenter(random_model):
    model = random_model()
    opened, segmenter = OpenedModel(model, "x"), rmae.Segmenter(model)

    found = opened.outline(opened.look(noise(0)), POINT, (40, 60))

    segmenter.set_image(noise(0))
    expected = segmenter.predict(points_xy=[(20, 10)], positive=[True])
    assert found is not None
    assert (found.mask == expected.mask).all()
    assert found.confidence == expected.confidence


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_attention_is_that_of_the_encoder_on_the_normalised_picture(random_model, dtype: type):
    model = random_model()
    square = np.ascontiguousarray(noise(1, dtype=dtype)[:32, :32])  # of the model's size, so nothing is resized
    opened = OpenedModel(model, "x")
    sight = opened.look(square)
    pixels = torch.from_numpy(square.astype(np.float32) / np.iinfo(dtype).max).permute(2, 0, 1)[None]
    maps = attention_maps(model.encoder, (pixels - 0.5) / 0.25, layers=[1], ids_query=torch.tensor([[6]]))

    of_head = opened.attention(sight, (1, 2), layer=1, head=3)
    of_all = opened.attention(sight, (1, 2), layer=1, head=None)

    np.testing.assert_allclose(of_head, maps[0, 0, 3, 0, 1:].reshape(4, 4), atol=1e-6)
    np.testing.assert_allclose(of_all, maps[0, 0, :, 0, 1:].mean(0).reshape(4, 4), atol=1e-6)
    assert 0 < of_head.sum() < 1


def test_many_threads_at_once_get_what_one_alone_gets(random_model):
    opened = OpenedModel(random_model(), "x")

    def all_of(seed: int) -> tuple[np.ndarray, np.ndarray]:
        sight = opened.look(noise(seed))
        found = opened.outline(sight, POINT, (40, 60))
        assert found is not None
        return found.probability, opened.attention(sight, (seed % 4, 1), layer=0, head=None)

    alone = [all_of(seed) for seed in range(12)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(all_of, range(12)))

    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one[0], other[0], atol=1e-6)
        np.testing.assert_allclose(one[1], other[1], atol=1e-6)


def test_a_model_of_more_bands_is_refused(random_model):
    with pytest.raises(ValueError, match=r"^six takes pictures of 6 channels; the app reads those of 1, 3, 4, so "):
        OpenedModel(random_model(channels=6), "six")


def test_a_model_without_a_region_branch_is_refused(random_model):
    with pytest.raises(ValueError, match="this model has no region branch"):
        OpenedModel(random_model(task="mae"), "plain")


def test_models_are_named_after_their_folders(random_model, tmp_path):
    random_model().save_pretrained(tmp_path / "mine")

    assert open_model(tmp_path / "mine").name == "mine"
    assert open_model(str(tmp_path / "mine")).name == "mine"
    assert open_model(random_model()).name == "model"
    with pytest.raises(ValueError, match=r"^there is nothing at "):
        open_model(tmp_path / "yours")
