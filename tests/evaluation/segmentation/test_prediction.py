from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rmae.config import SegmentConfig
from rmae.evaluation.encoder import fit_encoder, open_encoder
from rmae.evaluation.segmentation.data import open_data
from rmae.evaluation.segmentation.network import build_network
from rmae.evaluation.segmentation.prediction import Predictor, read_test_picture
from rmae.evaluation.segmentation.scores import count_pairs, score
from rmae.evaluation.segmentation.step import SegmentStep
from rmae.evaluation.segmentation.validation import validate
from rmae.training.ranks import Ranks, open_ranks


@pytest.fixture
def ranks(tiny_config: SegmentConfig):
    with open_ranks(tiny_config.run) as ranks:
        yield ranks


def step_of(config: SegmentConfig) -> SegmentStep:
    encoder = open_encoder("scratch", config.encoder, seed=0)
    vit = fit_encoder(encoder.vit, image_hw=config.encoder.image_hw, drop_path=0.5)
    model = build_network(
        vit,
        num_classes=3,
        head_channels=8,
        auxiliary_channels=8,
        dropout=0.5,
        generator=torch.Generator().manual_seed(0),
    )
    return SegmentStep(model, auxiliary_weight=0.4, pixel_mean=encoder.pixel_mean, pixel_std=encoder.pixel_std)


def predictor(config: SegmentConfig, ranks: Ranks, step: SegmentStep) -> Predictor:
    return Predictor(step, config, pixel_mean=(0.5, 0.5, 0.5), fabric=ranks.fabric)


def test_the_shorter_side_of_a_picture_is_resized(ade_root: Path, tiny_config: SegmentConfig):
    part = open_data(tiny_config, ade_root).training
    for index, size_hw in enumerate([(40, 60), (40, 40), (60, 40), (40, 51)]):
        picture = read_test_picture(part, 40, index)
        assert picture.image.shape == (3, *size_hw)
        assert picture.image.dtype == np.uint8
        assert picture.labels.shape == part.read(index)[1].shape


def test_a_strip_is_not_enlarged_without_end(ade_root: Path, tiny_config: SegmentConfig):
    for kind, mode in (("images", "RGB"), ("annotations", "L")):
        Image.new(mode, (400, 10), 1).save(ade_root / kind / "training" / "0.png")
    picture = read_test_picture(open_data(tiny_config, ade_root).training, 40, 0)
    assert picture.image.shape == (3, 4, 160)
    assert picture.labels.shape == (10, 400)


def test_predictions_have_the_size_of_the_labels_and_training_goes_on_as_it_was(
    ade_root: Path, tiny_config: SegmentConfig, ranks: Ranks
):
    part = open_data(tiny_config, ade_root).training
    step = step_of(tiny_config)
    step.train()
    before = {name: tensor.clone() for name, tensor in step.model.state_dict().items()}
    state = torch.get_rng_state()
    picture = read_test_picture(part, 24, 0)
    predicted = predictor(tiny_config, ranks, step)(picture)
    assert predicted.shape == picture.labels.shape == (20, 30)
    assert set(predicted.unique().tolist()) <= {0, 1, 2}
    assert all(module.training for module in step.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in step.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)  # nothing was dropped


def test_a_picture_of_the_windows_size_is_predicted_as_it_is(ade_root: Path, tiny_config: SegmentConfig, ranks: Ranks):
    """One window covers all: the forward of the network in evaluation mode, and the likeliest class."""
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    Image.fromarray(noise).save(ade_root / "images/training/0.png")
    Image.new("L", (16, 16), 1).save(ade_root / "annotations/training/0.png")
    part = open_data(tiny_config, ade_root).training
    step = step_of(tiny_config)
    predicted = predictor(tiny_config, ranks, step)(read_test_picture(part, 16, 0))
    step.eval()
    with torch.no_grad():
        logits = step.model(step.normalise(torch.from_numpy(noise).permute(2, 0, 1)[None])).logits
    assert torch.equal(predicted, logits[0].argmax(dim=0))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_validation_counts_every_picture_once(
    ade_root: Path, tiny_config: SegmentConfig, ranks: Ranks, num_workers: int
):
    config = replace(tiny_config, test_batch_size=2)
    data = open_data(config, ade_root)
    part = data.validation
    predict = predictor(config, ranks, step_of(config))
    expected = []
    for index in range(3):
        picture = read_test_picture(part, 24, index)
        expected.append(count_pairs(predict(picture), torch.from_numpy(picture.labels), 3))
    scores = validate(predict, data, ranks, short_side=24, num_workers=num_workers)
    assert scores.headline() == score(expected).headline()
    assert scores.num_pixels.sum() == sum(int((part.read(i)[1] >= 0).sum()) for i in range(3))


def test_processes_take_shares_that_make_up_all(ade_root: Path, tiny_config: SegmentConfig, ranks: Ranks):
    data = open_data(tiny_config, ade_root)
    predict = predictor(tiny_config, ranks, step_of(tiny_config))
    whole = validate(predict, data, ranks, short_side=24, num_workers=0).num_pixels
    ranks.world_size = 2
    shares = []
    for ranks.rank in range(2):
        shares.append(validate(predict, data, ranks, short_side=24, num_workers=0).num_pixels)
    assert all(share.sum() > 0 for share in shares)
    np.testing.assert_array_equal(sum(shares), whole)


def test_a_picture_that_cannot_be_used_ends_the_validation(ade_root: Path, tiny_config: SegmentConfig, ranks: Ranks):
    data = open_data(tiny_config, ade_root)
    (ade_root / "annotations/validation/9.png").write_bytes(b"no labels")
    predict = predictor(tiny_config, ranks, step_of(tiny_config))
    with pytest.raises(ValueError, match=r"images/validation/9\.png cannot be evaluated: .*9\.png is not a PNG file"):
        validate(predict, data, ranks, short_side=24, num_workers=0)
