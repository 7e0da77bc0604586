from dataclasses import replace

import pytest
import torch

from rmae import ModelConfig
from rmae.bench.clicks import measure_clicks

MODEL = ModelConfig(
    size="micro", img_size=(48, 64), patch_size=8, decoder_embed_dim=32, decoder_depth=1, decoder_num_heads=2,
    region_embed_dim=32, region_encoder_num_heads=2, region_decoder_num_heads=2,
)  # fmt: skip


def measure(config: ModelConfig = MODEL, *, num_views: int | None = None, repeats: int = 1) -> dict:
    return measure_clicks(config, size_hw=(50, 70), num_views=num_views, num_threads=1, repeats=repeats)


def test_every_step_is_timed():
    found = measure(repeats=3)
    times = found["ms"]
    assert list(times) == ["look", "branch", "click", "click_after_19"]
    assert all(milliseconds > 0 for milliseconds in times.values())
    assert found["branch_over_look"] == times["branch"] / times["look"]
    assert (found["size_hw"], found["threads"], found["repeats"]) == ([50, 70], 1, 3)
    assert "torch" in str(found["machine"])


def test_views_are_as_many_as_the_segmenter_takes_or_as_asked_for():
    assert measure()["num_views"] == 4
    assert measure(replace(MODEL, mask_ratio=0.5))["num_views"] == 2
    assert measure(num_views=1)["num_views"] == 1


@pytest.mark.parametrize("changes", [{"channels": 1}, {"region_variant": "batch"}, {"region_decoder_depth": 2}])
def test_all_models_that_answer_clicks_are_timed(changes):
    assert measure(replace(MODEL, **changes))["ms"]["click"] > 0


def test_a_model_that_cannot_answer_is_refused():
    with pytest.raises(ValueError, match="no region branch"):
        measure(replace(MODEL, task="mae"))
    with pytest.raises(ValueError, match=r"num_views is 49; .* at most the 48 patches"):
        measure(num_views=49)


def test_threads_are_those_asked_for(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    found = measure_clicks(MODEL, size_hw=(8, 8), num_views=None, num_threads=3, repeats=1)
    assert asked == [3]
    assert found["threads"] == 3
