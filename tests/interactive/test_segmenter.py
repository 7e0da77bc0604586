from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

import rmae
from rmae.data.crops import Crop, crop_image
from rmae.interactive.prompts import Prompt
from rmae.interactive.segmenter import Segmenter, _without_specks
from rmae.models.completion import complete

CONFIG = rmae.ModelConfig(
    size="micro", img_size=(24, 32), patch_size=8, decoder_embed_dim=32, decoder_depth=1, decoder_num_heads=2,
    region_embed_dim=32, region_encoder_num_heads=2, region_decoder_num_heads=2, num_regions=3,
)  # fmt: skip


def build(**changes) -> rmae.MaskedAutoencoder:
    torch.manual_seed(0)
    model = rmae.build_model(replace(CONFIG, **changes))
    with torch.no_grad():
        for parameter in model.parameters():  # as initialised, biases and norms hide differences
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def picture(height: int = 45, width: int = 70, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("variant", ["length", "batch", "channel"])
@pytest.mark.parametrize("depth", [1, 2])
def test_the_answer_is_that_of_the_model_with_nothing_hidden_from_its_encoder(variant, depth):
    model = build(region_variant=variant, region_decoder_depth=depth)
    segmenter = Segmenter(model, num_views=1)
    region = np.random.default_rng(1).random((24, 32)) < 0.4
    visible = np.zeros(12, bool)
    visible[[2, 7, 8]] = True
    found = segmenter.complete(segmenter.embed(picture()), region, visible)

    pixels = crop_image(picture(), Crop(0, 0, 45, 70, False), (24, 32)) / 255
    mean, std = (np.array(v, np.float32)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    images = torch.from_numpy(((pixels - mean) / std).astype(np.float32))[None]
    model.num_visible, model.region_num_visible = 12, 3
    ids_shuffle = torch.tensor([[2, 7, 8, 0, 1, 3, 4, 5, 6, 9, 10, 11]])
    regions = torch.from_numpy(region).expand(1, 3, 24, 32)
    expected = complete(model, images, regions, ids_shuffle, normalize_pixels=False).region_probability
    assert expected is not None
    np.testing.assert_allclose(found, expected[0].mean(dim=0).numpy(), atol=1e-5)


@pytest.mark.parametrize("num_views", [2, 4, 5, 12])
def test_views_show_the_neck_every_patch_and_their_answers_are_averaged(num_views):
    model = build(mask_ratio=0.5)
    segmenter = Segmenter(model, num_views=num_views)
    shown: list[torch.Tensor] = []
    branch = model.region_branch
    assert branch is not None
    hook = branch.neck.register_forward_pre_hook(lambda _, inputs: shown.extend(inputs))
    embedding = segmenter.embed(picture())
    hook.remove()
    tokens, ids_shuffle = shown
    num_visible = -(-12 // num_views)
    assert tokens.shape[:2] == (num_views, 1 + num_visible)
    assert set(ids_shuffle[:, :num_visible].flatten().tolist()) == set(range(12))
    assert all(sorted(row) == list(range(12)) for row in ids_shuffle.tolist())

    region, visible = np.zeros((24, 32), bool), np.arange(12) == 5
    each = [
        segmenter.complete(embedding._replace(contexts=context.unsqueeze(0)), region, visible)
        for context in embedding.contexts
    ]
    np.testing.assert_allclose(segmenter.complete(embedding, region, visible), np.mean(each, axis=0), atol=1e-6)


@pytest.mark.parametrize(("mask_ratio", "num_views"), [(0.75, 4), (0.5, 2), (0.9, 12)])
def test_the_neck_sees_as_much_at_once_as_in_training(mask_ratio, num_views):
    assert len(Segmenter(build(mask_ratio=mask_ratio)).embed(picture()).contexts) == num_views


def test_only_visible_patches_of_the_region_are_looked_at():
    segmenter = Segmenter(build())
    embedding = segmenter.embed(picture())
    visible = np.arange(12) == 5
    region = np.zeros((24, 32), bool)
    elsewhere = region.copy()
    elsewhere[:8] = True  # the first row of patches
    assert np.array_equal(
        segmenter.complete(embedding, region, visible), segmenter.complete(embedding, elsewhere, visible)
    )


def test_encoder_and_neck_run_once_a_picture_whatever_is_marked():
    model = build(region_decoder_depth=2)
    segmenter = Segmenter(model)
    branch = model.region_branch
    assert branch is not None
    runs = {"encoder": 0, "neck": 0, "region encoder": 0}

    def count(name: str):
        def hook(*_: object) -> None:
            runs[name] += 1

        return hook

    model.encoder.blocks[0].register_forward_hook(count("encoder"))
    branch.neck.register_forward_hook(count("neck"))
    branch.encoder.register_forward_hook(count("region encoder"))
    segmenter.set_image(picture())
    for x in (3, 30, 60):
        segmenter.predict(points_xy=[(x, 20)], positive=[True])
    assert runs == {"encoder": 1, "neck": 1, "region encoder": 6}


@pytest.mark.parametrize("size_hw", [(45, 70), (24, 32), (1, 1), (7, 400)])
def test_masks_have_the_pictures_own_size(size_hw):
    segmenter = Segmenter(build())
    segmenter.set_image(picture(*size_hw))
    found = segmenter.predict(points_xy=[(0, 0)], positive=[True])
    assert found.mask.shape == found.probability.shape == size_hw
    assert found.mask.dtype == np.bool_
    assert found.probability.dtype == np.float32
    assert (found.probability[found.mask] >= 0.5).all()
    assert found.mask[0, 0]
    assert 0 <= found.confidence <= 1


def test_confidence_is_the_iou_to_be_expected():
    segmenter = Segmenter(build())
    segmenter.set_image(picture())
    found = segmenter.predict(box_xyxy=(10, 10, 50, 40))
    generator = np.random.default_rng(0)
    overlap = union = 0
    for _ in range(200):
        drawn = generator.random(found.probability.shape) < found.probability
        overlap += (drawn & found.mask).sum()
        union += (drawn | found.mask).sum()
    assert found.confidence == pytest.approx(overlap / union, abs=0.01)


@pytest.mark.parametrize("variant", ["length", "batch", "channel"])
def test_the_mask_heeds_every_mark(variant):
    segmenter = Segmenter(build(region_variant=variant))
    segmenter.set_image(picture(24, 32))  # of the model's size, so that marks are not moved
    points = [(3.5, 4.5), (28.5, 20.5), (17.5, 11.5)]
    for positive in ([True, False, True], [False, True, True], [True, True, True]):
        found = segmenter.predict(points_xy=points, positive=positive)
        assert [bool(found.mask[int(y), int(x)]) for x, y in points] == positive
        assert found.probability.dtype == np.float32


def test_patches_that_a_first_answer_leaves_out_are_background_in_the_second():
    model = build()
    branch = model.region_branch
    assert branch is not None
    shown: list[torch.Tensor] = []
    branch.encoder.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[1]))
    picture_with_marks = Prompt(points_xy=((3.5, 4.5),), positive=(True,))
    for assume_background, num_answers in ((True, 2), (False, 1)):
        shown.clear()
        segmenter = Segmenter(model, assume_background=assume_background)
        segmenter.segment(segmenter.embed(picture(24, 32)), picture_with_marks)
        assert [ids[0, 0].item() for ids in shown] == [0] * num_answers
        assert shown[0].shape[1] == 1
    shown.clear()
    segmenter = Segmenter(model)
    embedding = segmenter.embed(picture(24, 32))
    first = segmenter.complete(embedding, np.ones((24, 32), bool), np.arange(12) == 0)
    segmenter.segment(embedding, picture_with_marks)
    assumed = shown[-1][0, 1:].tolist()
    likely = first.reshape(3, 8, 4, 8).mean(axis=(1, 3)).ravel()
    likely[0] = 1  # known
    assert assumed
    assert all(likely[patch] <= np.median(likely) for patch in assumed)
    assert all((patch % 4 + 2 * (patch // 4)) % 4 == 0 for patch in assumed)  # spread evenly


def test_small_pieces_without_a_mark_are_dropped():
    likely = np.zeros((60, 80), bool)
    likely[10:30, 10:30] = likely[40:50, 40:50] = likely[5, 70] = likely[55, 5] = True
    points = Prompt(points_xy=((20.5, 20.5), (70.5, 5.5), (40.5, 2.5)), positive=(True, True, False))
    expected = likely.copy()
    expected[55, 5] = False  # one pixel, and no mark; the square of 100 is a fifth of all
    assert np.array_equal(_without_specks(likely, points), expected)
    scribbles = np.zeros((60, 80), np.int8)
    scribbles[20:56, 5] = 1
    expected[55, 5], expected[5, 70] = True, False
    assert np.array_equal(_without_specks(likely, Prompt(scribbles=scribbles)), expected)


def test_several_threads_get_their_own_answers():
    segmenter = Segmenter(build())
    embeddings = [segmenter.embed(picture(40 + i, 50)) for i in range(4)]
    prompts = [Prompt(points_xy=((5.0 * i, 9.0),), positive=(True,)) for i in range(4)]
    expected = [segmenter.segment(*pair).probability for pair in zip(embeddings, prompts, strict=True)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            found = list(pool.map(segmenter.segment, embeddings, prompts))
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one.probability, other, atol=1e-6)


def test_16_bits_and_grey_are_read_by_models_for_them():
    model = build(channels=1)
    with pytest.raises(ValueError, match="it is not known what this model's 1 channel"):
        Segmenter(model)
    model.pixel_mean, model.pixel_std = (0.4,), (0.2,)
    segmenter = Segmenter(model)
    grey = picture(channels=1)
    in_8_bits = segmenter.embed(grey)
    in_16_bits = segmenter.embed(grey.astype(np.uint16) * 257)
    torch.testing.assert_close(in_8_bits.contexts, in_16_bits.contexts, atol=0.05, rtol=0.05)


def test_a_model_can_look_at_another_size():
    segmenter = Segmenter(build(), img_size=(48, 64))
    assert segmenter.grid == (6, 8)
    segmenter.set_image(picture())
    assert segmenter.predict(points_xy=[(1, 1)], positive=[True]).mask.shape == (45, 70)


@pytest.mark.gpu
def test_a_model_answers_on_its_gpu_at_another_size_too():
    answers = []
    for device in ("cpu", "cuda"):
        segmenter = Segmenter(build().to(device), img_size=(48, 64))
        embedding = segmenter.embed(picture())
        assert embedding.contexts.device.type == device
        answers.append(segmenter.segment(embedding, Prompt(points_xy=((9, 9),), positive=(True,))).probability)
    np.testing.assert_allclose(*answers, atol=1e-2)


def test_masks_are_brought_to_the_models_size_at_pixel_centres():
    segmenter = Segmenter(build())
    mask = np.zeros((48, 64), bool)
    mask[::2, ::2] = True
    assert not segmenter.to_model_size(mask).any()
    mask[1::2, 1::2] = True
    assert segmenter.to_model_size(mask).all()


def test_models_that_cannot_answer_are_refused():
    with pytest.raises(ValueError, match="no region branch"):
        Segmenter(build(task="mae"))
    with pytest.raises(ValueError, match=r"sees no pixels \(feeding none\)"):
        Segmenter(build(feeding="none"))


def test_weights_and_embeddings_that_do_not_fit_are_explained():
    with pytest.raises(ValueError, match=r"are torch.float16; turn them into float32 with model.float\(\)"):
        Segmenter(build().half())
    larger = Segmenter(build(), img_size=(48, 64)).embed(picture())
    with pytest.raises(ValueError, match="the embedding is of 48 patches, but this segmenter sees 12"):
        Segmenter(build()).segment(larger, Prompt(points_xy=((1, 1),), positive=(True,)))


def test_wrong_pictures_and_a_missing_one_are_explained():
    for num_views in (0, 13):
        with pytest.raises(ValueError, match=f"num_views is {num_views}; it must be at least 1 and at most the 12"):
            Segmenter(build(), num_views=num_views)
    segmenter = Segmenter(build())
    with pytest.raises(ValueError, match="call set_image first"):
        segmenter.predict(points_xy=[(1, 1)], positive=[True])
    for wrong in (picture(channels=4), picture()[..., 0], picture().astype(np.float32)):
        with pytest.raises(ValueError, match=r"this model needs height, width and 3 channel\(s\), uint8 or uint16"):
            segmenter.embed(wrong)
    with pytest.raises(ValueError, match="not empty"):
        segmenter.embed(picture(0, 5))
    segmenter.set_image(picture())
    with pytest.raises(ValueError, match="no patch of the region is visible"):
        segmenter.complete(segmenter.embed(picture()), np.ones((24, 32), bool), np.zeros(12, bool))
    with pytest.raises(ValueError, match="beside the picture of 70 x 45"):
        segmenter.predict(points_xy=[(70, 1)], positive=[True])
