import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rmae.config import DataConfig, ModelConfig, PretrainConfig
from rmae.config_json import config_from_json, config_to_json
from rmae.presets import PRESETS, preset
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.sam_json import SamJson


def through_json(config: Any) -> Any:
    return json.loads(json.dumps(config_to_json(config), allow_nan=False))


def one_region(image: np.ndarray, name: str) -> np.ndarray:
    return np.zeros((1, *image.shape[:2]), np.int32)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_come_back_equal(name: str):
    config = preset(name)

    assert config_from_json(PretrainConfig, through_json(config), where="f") == config


def test_types_that_json_lacks_come_back():
    config = PretrainConfig(
        model=ModelConfig(img_size=(96, 160), region_mask_ratio=0.5, depth=2),
        data=DataConfig(
            subsets=("a", "b"), regions=Felzenszwalb(scales=(1.5, 1000.0), min_sizes=(1, 2)), num_workers=3
        ),
    )
    back = config_from_json(PretrainConfig, through_json(config), where="f")

    assert back == config
    assert isinstance(back.model.img_size, tuple)
    assert isinstance(back.data.regions, Felzenszwalb)


def test_source_of_regions_keeps_its_kind():
    data = DataConfig(regions=SamJson(folder="masks"))

    assert config_from_json(DataConfig, through_json(data), where="f").regions == SamJson(folder="masks")


def test_task_without_regions_keeps_none():
    config = PretrainConfig(model=ModelConfig(task="mae"), data=DataConfig(regions=None))

    assert config_from_json(PretrainConfig, through_json(config), where="f").data.regions is None


def test_part_of_a_configuration_can_be_saved_alone():
    model = ModelConfig(task="rae", size="tiny", channels=5)

    assert config_from_json(ModelConfig, through_json(model), where="f") == model


@pytest.mark.parametrize(
    ("part", "knob", "value", "sentence"),
    [
        ("model", "depth", "3", r"model\.depth: .*integer"),
        ("model", "depth", 3.5, r"model\.depth: .*integer"),
        ("model", "mask_ratio", "0.5", r"model\.mask_ratio: .*number"),
        ("model", "task", "beit", r"model\.task: .*'mae', 'rae' or 'rmae'"),
        ("model", "new_knob", 1, r"model\.new_knob: "),
        ("model", "mask_ratio", 1.5, r"model: .*mask_ratio is 1\.5; it must lie between 0 and 1"),
        ("data", "crop_scale", [0.2], r"data\.crop_scale\.1: .*required"),
        ("data", "measure_statistics", 1, r"data\.measure_statistics: .*boolean"),
        ("model", "num_regions", 0, r"model: .*num_regions is 0; it must be at least 1"),
        ("data", "regions", None, r".*the task is rmae but regions is None"),
        ("data", "regions", {"kind": "sam-json"}, r"data\.regions.*folder: .*required"),
        ("data", "regions", {"kind": "superpixels"}, r"data\.regions"),
        ("optimizer", "batch_size", True, r"optimizer\.batch_size: .*integer"),
        ("optimizer", "updates", 10, r"optimizer: .*epochs is 800.0 and updates is 10"),
    ],
)
def test_wrong_value_is_named_in_one_line(part: str, knob: str, value: Any, sentence: str):
    saved = through_json(PretrainConfig())
    saved[part][knob] = value

    start = r"^runs/a/config\.json is not a configuration of this version: "
    with pytest.raises(ValueError, match=start + sentence) as error:
        config_from_json(PretrainConfig, saved, where="runs/a/config.json")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("saved", [[], "text", None, 3])
def test_what_is_no_configuration_at_all_is_refused(saved: Any):
    with pytest.raises(ValueError, match="is not a configuration of this version"):
        config_from_json(PretrainConfig, saved, where="f")


def test_own_source_of_regions_is_saved_as_its_description():
    config = replace(PretrainConfig(), data=DataConfig(regions=one_region, held_out=5))

    saved = through_json(config)

    assert saved["data"]["regions"] == f"{__name__}.one_region"
    assert saved["data"]["held_out"] == 5


def test_own_source_of_regions_cannot_be_read_back():
    saved = through_json(replace(PretrainConfig(), data=DataConfig(regions=one_region)))

    with pytest.raises(
        ValueError, match=r"region source of the user's own \(.*one_region\), which only Python can give again"
    ):
        config_from_json(PretrainConfig, saved, where="f")
