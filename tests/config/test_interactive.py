from typing import Any

import pytest

from rmae.config.interactive import METHOD_NAMES, InteractiveConfig
from rmae.config.run import RunConfig
from rmae.evaluation.interactive.method_names import MODEL, NEAREST, method_titles
from rmae.evaluation.interactive.presets import paper, small


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"img_size": 0}, "img_size is 0; every side must be at least 1 pixel"),
        ({"img_size": (32, 0)}, r"img_size is \(32, 0\); every side must be at least 1 pixel"),
        ({"img_size": (32,)}, r"img_size is \(32,\); give one side, or height and width"),
        ({"max_objects": 0}, "max_objects is 0; it must be at least 1"),
        ({"max_clicks": 0}, "max_clicks is 0; it must be at least 1"),
        ({"num_resamples": 0}, "num_resamples is 0; it must be at least 1"),
        ({"grabcut_side": 0}, "grabcut_side is 0; it must be at least 1"),
        ({"num_examples": -1}, "num_examples is -1; it must be at least 0"),
        ({"min_object_share": 1.5}, r"min_object_share is 1.5; it is a share of a picture in \[0, 1\]"),
        (
            {"visible_shares": (0.0, 0.5)},
            r"visible_shares are \(0.0, 0.5\); they are shares of the patches in \(0, 1\)",
        ),
        ({"visible_shares": (0.5, 1.0)}, "visible_shares are"),
        ({"visible_shares": (0.5, 0.2)}, "visible_shares are .* ascending"),
        ({"visible_shares": (0.5, 0.5)}, "visible_shares are .* ascending"),
        ({"visible_shares": (float("nan"),)}, "visible_shares is .* must be finite"),
        ({"felzenszwalb_scale": 0.0}, "felzenszwalb_scale is 0.0; it must be above 0, or None"),
        ({"against": ("a", "a")}, r"against names a model twice \(a, a\); name each once"),
        ({"against": ("sam",)}, "against names sam, which is what a method is called in the results; write the path"),
        ({"layout": "voc"}, "layout is 'voc'; it must be one of coco, lvis"),
        ({"run": RunConfig(compile=True)}, "compile is on; .* leave it off"),
        ({"run": RunConfig(precision="float64")}, "precision is float64; models answer clicks in float32 or bf16"),
    ],
)
def test_wrong_knobs_are_explained(knobs: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        InteractiveConfig(**knobs)


def test_methods_may_be_left_out():
    config = InteractiveConfig(visible_shares=(), felzenszwalb_scale=None, grabcut_side=None, img_size=(64, 96))
    assert config.img_size == (64, 96)


def test_presets_say_how_much():
    assert small().max_objects < paper().max_objects
    assert paper() == InteractiveConfig()


def test_every_method_has_a_title_and_long_paths_are_cut():
    titles = method_titles(["runs/other", "/data/of/somebody/runs/that/have/long/names", MODEL])
    assert set(METHOD_NAMES) <= titles.keys()
    assert (titles[MODEL], titles[NEAREST]) == ("This model", "Nearest pixel")
    assert titles["runs/other"] == "runs/other"
    ellipsis = "…\N{WORD JOINER}"
    assert titles["/data/of/somebody/runs/that/have/long/names"] == f"{ellipsis}/runs/that/have/long/names"
    assert method_titles(["x" * 50])["x" * 50] == ellipsis + "x" * 30
