from dataclasses import replace
from typing import Any

import pytest

import rmae
from rmae.config import EncoderConfig, SegmentConfig
from rmae.config_json import config_from_json, config_to_json
from rmae.evaluation.segmentation.presets import paper, small


def test_the_defaults_are_the_recipe():
    config = SegmentConfig()
    assert config.optimizer.lr == pytest.approx(1e-4)
    assert config.optimizer.num_updates(20_210) == 160_000
    assert config.optimizer.warmup * 160_000 == pytest.approx(1500)
    assert (config.encoder.image_hw, config.short_side) == ((512, 512), 512)
    assert (config.encoder.layer_decay, config.encoder.drop_path) == (0.65, 0.1)
    assert (config.head_channels, config.auxiliary_channels) == (768, 256)
    assert config.test_stride * config.short_side == 256
    assert replace(paper(), run=config.run) == config


def test_presets_are_saved_and_read():
    for config in (small(), paper()):
        assert config_from_json(SegmentConfig, config_to_json(config), where="here") == config


def test_it_is_public():
    assert rmae.SegmentConfig is SegmentConfig


def test_the_short_side_is_the_crops_unless_said_otherwise():
    assert SegmentConfig(encoder=EncoderConfig(img_size=(64, 96))).short_side == 64
    assert SegmentConfig(test_short_side=100).short_side == 100


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"ignore_label": -1}, "ignore_label is -1; it must be at least 0, or None"),
        ({"head_channels": 0}, "head_channels is 0; it must be at least 1"),
        ({"auxiliary_channels": 0}, "auxiliary_channels is 0"),
        ({"auxiliary_weight": -0.1}, r"auxiliary_weight is -0\.1; it must be at least 0"),
        ({"auxiliary_weight": float("nan")}, "auxiliary_weight is nan; it must be finite"),
        ({"head_dropout": 1.0}, r"head_dropout is 1\.0; it is a probability in \[0, 1\)"),
        ({"scale_range": (0.0, 1.0)}, r"scale_range is 0\.0 to 1\.0; it must run from above 0"),
        ({"scale_range": (2.0, 1.0)}, r"scale_range is 2\.0 to 1\.0"),
        ({"scale_range": (1.0,)}, r"scale_range is \(1\.0,\); give 2 values"),
        ({"max_class_share": 0.0}, r"max_class_share is 0\.0; it is a share in \(0, 1\]"),
        ({"flip": 1.5}, r"flip is 1\.5; it must lie in \[0, 1\]"),
        ({"color_jitter": -1.0}, r"color_jitter is -1\.0; it must lie in"),
        ({"test_short_side": 0}, "test_short_side is 0; it must be at least 1"),
        ({"test_stride": 0.0}, r"test_stride is 0\.0; it is a share"),
        ({"test_batch_size": 0}, "test_batch_size is 0"),
        ({"evaluate_every": 0}, "evaluate_every is 0; it must be at least 1"),
        ({"num_examples": -1}, "num_examples is -1; it must be at least 0"),
    ],
)
def test_what_is_out_of_range_is_refused(wrong: dict[str, Any], sentence: str):
    with pytest.raises(ValueError, match=sentence):
        SegmentConfig(**wrong)
