import pytest

from rmae.config import DetectConfig, OptimizerConfig


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"layout": "voc"}, "layout is 'voc'; it must be one of coco, lvis"),
        ({"window_size": -1}, "window_size is -1; it must be at least 0"),
        ({"num_global_blocks": 0}, "num_global_blocks is 0; it must be at least 1"),
        ({"eval_batch_size": 0}, "eval_batch_size is 0; it must be at least 1"),
        ({"layout": "lvis", "num_detections": 301},
         "num_detections is 301; with the layout lvis it must be at most 300, for LVIS counts no more in a picture"),
        ({"evaluate_every": 0}, "evaluate_every is 0; it must be at least 1"),
        ({"mask_depth": -1}, "mask_depth is -1; it must be at least 0"),
        ({"pyramid_scales": (4.0, 1.0)}, r"pyramid_scales are \(4\.0, 1\.0\); they must be neighbours in 4, 2, 1"),
        ({"pyramid_scales": ()}, "pyramid_scales are"),
        ({"pyramid_scales": (1.0, 2.0)}, "in this order"),
        ({"anchor_scale": 0.0}, "anchor_scale is 0.0; it must be above 0"),
        ({"jitter": (0.0, 2.0)}, "jitter is 0.0 to 2.0; it must run from above 0 to no less"),
        ({"jitter": (2.0, 1.0)}, "jitter is 2.0 to 1.0"),
        ({"flip": 1.5}, r"flip is 1\.5; it is a probability in \[0, 1\]"),
        ({"score_threshold": 1.0}, r"score_threshold is 1\.0; it must lie in \[0, 1\)"),
        ({"nms_threshold": 0.0}, r"nms_threshold is 0\.0; it must lie in \(0, 1\]"),
        ({"repeat_threshold": 0.0}, r"repeat_threshold is 0\.0; it is a share of the pictures in \(0, 1\], or None"),
        ({"milestones": (0.9, 0.8)}, r"milestones are \(0\.9, 0\.8\); they are shares of the updates in \(0, 1\)"),
        ({"milestones": (1.0,)}, "milestones are"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_explained(knobs, sentence):
    with pytest.raises(ValueError, match=sentence):
        DetectConfig(**knobs)


@pytest.mark.parametrize("scales", [(4.0, 2.0, 1.0, 0.5), (2.0, 1.0), (0.5,)])
def test_parts_of_the_pyramid_may_be_left_out(scales):
    assert DetectConfig(pyramid_scales=scales).pyramid_scales == scales


def test_the_defaults_are_the_papers():
    config = DetectConfig()
    assert isinstance(config.optimizer, OptimizerConfig)
    assert config.optimizer.lr == pytest.approx(1e-4)
    assert config.milestones == (8 / 9, 26 / 27)
    assert (config.pyramid_channels, config.box_width, config.mask_depth, config.proposal_depth) == (256, 1024, 4, 2)
