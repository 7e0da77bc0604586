from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from rmae.config import RunConfig
from rmae.evaluation.encoder import Encoder
from rmae.evaluation.localisation import maps as module
from rmae.evaluation.localisation.maps import MapMaker, QueryMaps
from rmae.models.attention import attention_maps, patch_features
from rmae.training.devices import build_fabric

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 3, 64, 64), dtype=np.uint8)
PLACES = np.array([0, 0, 0, 0, 0, 1, 2, 2])  # pictures of 5, 1 and 2 queries
PATCHES = np.array([3, 60, 0, 17, 17, 63, 5, 9])


def maker(encoder: Encoder, image_hw: tuple[int, int] = (64, 64)) -> MapMaker:
    run = RunConfig(accelerator="cpu")
    fabric = build_fabric(accelerator=run.accelerator, precision=run.precision)
    return MapMaker(encoder, image_hw=image_hw, fabric=fabric, dtype=torch.float32)


def joined(several: list[QueryMaps]) -> QueryMaps:
    asked = np.concatenate([each.asked for each in several])
    order = torch.from_numpy(np.argsort(asked))
    attention = torch.cat([each.attention for each in several])[order]
    return QueryMaps(np.sort(asked), attention, torch.cat([each.similarity for each in several])[order])


def test_maps_are_those_of_the_encoder(random_encoder: Callable[..., Encoder]):
    encoder = random_encoder(reg_tokens=1)
    made = joined(list(maker(encoder).maps(PIXELS, PLACES, PATCHES)))
    assert made.asked.tolist() == list(range(8))
    images = (torch.from_numpy(PIXELS) / 255 - 0.5) / 0.5
    features = functional.normalize(patch_features(encoder.vit, images), dim=-1)
    for i, (place, patch) in enumerate(zip(PLACES.tolist(), PATCHES.tolist(), strict=True)):
        of_picture = images[place : place + 1]
        expected = attention_maps(encoder.vit, of_picture, layers=[0, 1], ids_query=torch.tensor([[patch]]))
        torch.testing.assert_close(made.attention[i], expected[0, :, :, 0, 2:])
        torch.testing.assert_close(made.similarity[i], features[place] @ features[place, patch])
        assert made.similarity[i, patch].item() == pytest.approx(1)
    assert (made.attention.sum(-1) < 1 + 1e-6).all()  # the rest is the class token's and the register's
    assert made.attention.sum(-1).min() < 0.999


def test_little_memory_gives_the_same_maps(random_encoder: Callable[..., Encoder], monkeypatch: pytest.MonkeyPatch):
    at_once = list(maker(random_encoder()).maps(PIXELS, PLACES, PATCHES))
    monkeypatch.setattr(module, "_NUMBERS_AT_ONCE", 2 * 3 * 2 * 2 * 65)  # two queries of three pictures
    in_turn = list(maker(random_encoder()).maps(PIXELS, PLACES, PATCHES))
    assert (len(at_once), [each.asked.tolist() for each in in_turn]) == (1, [[0, 1, 5, 6, 7], [2, 3], [4]])
    for one, other in zip(joined(at_once), joined(in_turn), strict=True):
        torch.testing.assert_close(torch.as_tensor(one), torch.as_tensor(other))


def test_no_picture_gives_no_map(random_encoder: Callable[..., Encoder]):
    none = np.empty(0, dtype=np.int64)
    assert list(maker(random_encoder()).maps(PIXELS[:0], none, none)) == []


def test_pictures_of_another_size_and_shape_have_another_grid(random_encoder: Callable[..., Encoder]):
    made = maker(random_encoder(), image_hw=(32, 80))
    assert made.grid == (4, 10)
    (maps,) = made.maps(PIXELS[:1, :, :32].repeat(2, axis=3)[..., :80], np.array([0]), np.array([39]))
    assert maps.similarity.shape == (1, 40)
    assert maps.similarity[0].argmax() == 39


def test_encoders_whose_final_norm_is_behind_the_pooling_are_normed(random_encoder: Callable[..., Encoder]):
    encoder = random_encoder(global_pool="avg")
    bias = encoder.vit.fc_norm.get_parameter("bias")
    torch.nn.init.normal_(bias, generator=torch.Generator().manual_seed(0))
    (made,) = maker(encoder).maps(PIXELS[:1], np.array([0]), np.array([5]))
    images = (torch.from_numpy(PIXELS[:1]) / 255 - 0.5) / 0.5
    with torch.no_grad():
        features = encoder.vit.fc_norm(encoder.vit.forward_features(images)[0, 1:])
    torch.testing.assert_close(made.similarity[0], functional.cosine_similarity(features, features[5:6]))
