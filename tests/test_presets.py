from typing import Any

import pytest
import torch

from rmae.config import PretrainConfig
from rmae.models.build import build_model, num_trainable_parameters
from rmae.presets import PRESETS, preset
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.sam_json import SamJson

NUM_COCO, NUM_COCOPLUS, NUM_IMAGENET = 118_287, 118_287 + 123_403, 1_281_167
COCO_RUNS = [
    "mae-coco-vit-b", "rae-coco-vit-b-fh", "rmae-coco-vit-b-fh", "rmae-coco-vit-b-sam", "rmae-coco-vit-l-fh",
]  # fmt: skip
FULL_RUNS = [*COCO_RUNS, "rmae-cocoplus-vit-b-fh", "rmae-imagenet-vit-b-fh", "rmae-reference-code"]


def num_parameters(name: str) -> int:
    with torch.device("meta"):
        return num_trainable_parameters(build_model(preset(name).model))


def test_demo_comes_first_and_the_full_runs_follow():
    assert next(iter(PRESETS)) == "demo"
    assert set(PRESETS) == {"demo", *FULL_RUNS}


@pytest.mark.parametrize("name", PRESETS)
def test_preset_is_named_described_and_builds(name: str):
    config = preset(name)

    assert config.name == name
    assert (PRESETS[name].__doc__ or "").endswith(".")
    assert num_parameters(name) > 0


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("mae-coco-vit-b", 111_655_680),
        ("rmae-coco-vit-b-fh", 112_349_824),
        ("rmae-reference-code", 113_737_728),
    ],
)
def test_number_of_trainable_parameters(name: str, number: int):
    assert num_parameters(name) == number


@pytest.mark.parametrize(
    ("name", "task"), [("mae-coco-vit-b", "mae"), ("rae-coco-vit-b-fh", "rae"), ("rmae-coco-vit-b-fh", "rmae")]
)
def test_task_is_in_the_name(name: str, task: str):
    assert preset(name).model.task == task


@pytest.mark.parametrize("name", FULL_RUNS)
def test_recipe_shared_by_all_full_runs(name: str):
    config = preset(name)

    assert (config.model.image_hw, config.model.patch_size, config.model.mask_ratio) == ((224, 224), 16, 0.75)
    assert (config.optimizer.batch_size, config.optimizer.betas) == (4096, (0.9, 0.95))
    assert (config.optimizer.weight_decay, config.optimizer.clip_grad) == (0.05, None)
    assert (config.data.crop_scale, config.data.crop_ratio, config.data.flip) == ((0.2, 1.0), (3 / 4, 4 / 3), 0.5)
    assert config.model.num_regions == 8


@pytest.mark.parametrize("name", COCO_RUNS)
def test_papers_schedule_on_coco(name: str):
    optimizer = preset(name).optimizer

    assert optimizer.epochs == 4000
    assert optimizer.num_updates(NUM_COCO) == 115_515
    assert optimizer.base_lr == 1e-4
    assert optimizer.lr == pytest.approx(1.6e-3)
    assert optimizer.warmup == 1 / 12


def test_schedule_of_the_reference_code():
    optimizer = preset("rmae-reference-code").optimizer

    assert optimizer.num_updates(NUM_COCO) == 144_000
    assert optimizer.num_updates(NUM_COCO) * optimizer.batch_size / NUM_COCO == pytest.approx(4986, abs=1)
    assert optimizer.warmup * 144_000 == pytest.approx(12_000)
    assert optimizer.base_lr == 1.5e-4


def test_reference_code_has_a_longer_neck_and_nothing_else_of_its_own_in_the_model():
    reference, paper = preset("rmae-reference-code").model, preset("rmae-coco-vit-b-fh").model

    assert (paper.neck_depth, reference.neck_depth) == (1, 8)
    assert {**vars(reference), "neck_depth": 1} == vars(paper)


def test_schedule_on_imagenet():
    config = preset("rmae-imagenet-vit-b-fh")

    assert config.optimizer.warmup == 1 / 20
    assert config.optimizer.num_updates(NUM_IMAGENET) == 250_228
    assert config.data.regions == Felzenszwalb(scales=(1000,))


def test_coco_plus_plus_adds_the_unlabeled_images_and_keeps_the_epochs():
    config = preset("rmae-cocoplus-vit-b-fh")

    assert config.data.subsets == ("train2017", "unlabeled2017")
    assert config.optimizer.epochs == 4000


def test_sources_of_regions():
    assert preset("rmae-coco-vit-b-fh").data.regions == Felzenszwalb(scales=(500, 1000, 1500))
    assert isinstance(preset("rmae-coco-vit-b-sam").data.regions, SamJson)
    assert preset("mae-coco-vit-b").data.regions is None


def test_large_run_has_the_large_encoder():
    assert preset("rmae-coco-vit-l-fh").model.encoder_shape == (1024, 24, 16)


def test_demo_needs_no_accelerator():
    run = preset("demo").run

    assert (run.accelerator, run.precision, run.compile) == ("auto", "float32", False)


@pytest.mark.parametrize("make", PRESETS.values())
def test_each_call_gives_an_equal_configuration(make: Any):
    assert isinstance(make(), PretrainConfig)
    assert make() == make()


def test_unknown_preset_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"^there is no preset 'vit'; the presets are demo, mae-coco-vit-b, .*"):
        preset("vit")
