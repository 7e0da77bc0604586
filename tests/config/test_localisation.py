import pytest

from rmae.config import RunConfig
from rmae.config.localisation import LocaliseConfig


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"layout": "voc"}, "layout is 'voc'; it must be one of coco, lvis"),
        ({"min_patch_share": 0.0}, r"min_patch_share is 0\.0; it is a share of a patch in \(0, 1\]"),
        ({"min_patch_share": 1.5}, r"min_patch_share is 1\.5"),
        ({"num_resamples": 0}, "num_resamples is 0; it must be at least 1"),
        ({"eval_batch_size": 0}, "eval_batch_size is 0; it must be at least 1"),
        ({"num_examples": -1}, "num_examples is -1; it must be at least 0"),
        ({"run": RunConfig(compile=True)}, "compile is on; a compiled encoder does not show its attention, so leave"),
    ],
)
def test_settings_that_cannot_be_are_explained(knobs, sentence):
    with pytest.raises(ValueError, match=sentence):
        LocaliseConfig(**knobs)
