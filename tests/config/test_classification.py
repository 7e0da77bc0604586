import re
from dataclasses import replace

import pytest

from rmae.config import FinetuneConfig, KnnConfig, LinearConfig, OptimizerConfig
from rmae.config.classification import check_even
from rmae.config_json import config_from_json, config_to_json
from rmae.evaluation.classification import presets

NAN = float("nan")
CROPS = [
    ({"crop_scale": (0.0, 1.0)}, "crop_scale is 0.0 to 1.0; it must run from above 0 to no less"),
    ({"crop_scale": (0.5, 0.4)}, "crop_scale is 0.5 to 0.4; it must run from above 0 to no less"),
    ({"crop_scale": (0.5, 1.4)}, "crop_scale ends at 1.4; a crop covers at most 1 of the picture"),
    ({"crop_ratio": (-1.0, 1.0)}, "crop_ratio is -1.0 to 1.0; it must run from above 0 to no less"),
    ({"flip": 1.5}, "flip is 1.5; it is a probability in [0, 1]"),
    ({"evaluate_every": 0}, "evaluate_every is 0; it must be at least 1, or None"),
]
BOTH = [
    ({"pooling": "max"}, "pooling is 'max'; it must be one of token, average"),
    ({"eval_batch_size": 0}, "eval_batch_size is 0; it must be at least 1"),
]
REFUSED = [
    *[(kind, *case) for kind in (KnnConfig, LinearConfig, FinetuneConfig) for case in BOTH],
    *[(kind, *case) for kind in (LinearConfig, FinetuneConfig) for case in CROPS],
    (KnnConfig, {"num_neighbors": ()}, "num_neighbors is (); give one number or more, each at least 1"),
    (KnnConfig, {"num_neighbors": (20, 0)}, "num_neighbors is (20, 0); give one number or more, each at least 1"),
    (KnnConfig, {"temperature": 0.0}, "temperature is 0.0; it must be above 0"),
    (KnnConfig, {"temperature": NAN}, "temperature is nan; it must be finite"),
    (LinearConfig, {"optimizer_name": "sgd"}, "optimizer_name is 'sgd'; it must be one of lars, adamw"),
    (LinearConfig, {"momentum": 1.0}, "momentum is 1.0; it must lie in [0, 1)"),
    (FinetuneConfig, {"augment_magnitude": 11}, "augment_magnitude is 11; it must lie in 0 to 10"),
    (FinetuneConfig, {"augment_std": -1.0}, "augment_std is -1.0; it must be at least 0"),
    (FinetuneConfig, {"erase": 2.0}, "erase is 2.0; it is a probability in [0, 1]"),
    (FinetuneConfig, {"mixup": -0.1}, "mixup is -0.1; it must be at least 0"),
    (FinetuneConfig, {"cutmix": -0.1}, "cutmix is -0.1; it must be at least 0"),
    (FinetuneConfig, {"label_smoothing": 1.0}, "label_smoothing is 1.0; it is a share in [0, 1)"),
    (
        FinetuneConfig,
        {"optimizer": OptimizerConfig(batch_size=6, accumulate=2)},
        "batch_size 6 in accumulate 2 step(s) gives 3 pictures a step, which cannot be blended two and two; choose "
        "another batch_size, or mixup 0 and cutmix 0",
    ),
]
PRESETS = [name for name in dir(presets) if name.startswith(("small_", "paper_"))]


@pytest.mark.parametrize(("kind", "knobs", "sentence"), REFUSED)
def test_values_that_cannot_be_are_refused(kind, knobs, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        kind(**knobs)


def test_an_odd_step_is_fine_where_nothing_is_blended():
    odd = OptimizerConfig(batch_size=3)
    assert not FinetuneConfig(optimizer=odd, mixup=0.0, cutmix=0.0).mixes


def test_an_odd_step_on_many_processes_is_refused():
    config = FinetuneConfig(optimizer=OptimizerConfig(batch_size=12))
    check_even(config, 3)
    sentence = "batch_size 12 in accumulate 1 step(s) on 4 processes gives 3 pictures a step, which cannot be blended"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        check_even(config, 4)
    check_even(replace(config, mixup=0.0, cutmix=0.0), 4)


def test_there_are_two_presets_of_each_task():
    assert sorted(PRESETS) == [
        f"{size}_{task}" for size in ("paper", "small") for task in ("finetune", "knn", "linear")
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_written_and_read_back(name):
    config = getattr(presets, name)()
    assert config_from_json(type(config), config_to_json(config), where="here") == config


def test_the_papers_figures():
    knn, linear, finetune = presets.paper_knn(), presets.paper_linear(), presets.paper_finetune()
    assert (knn.num_neighbors, knn.temperature, knn.pooling) == ((20, 200), 0.07, "token")
    optimizer = linear.optimizer
    assert (optimizer.epochs, optimizer.batch_size, optimizer.base_lr, optimizer.weight_decay) == (90, 16_384, 0.1, 0)
    assert (linear.optimizer_name, linear.momentum, linear.pooling) == ("lars", 0.9, "token")
    assert optimizer.warmup * optimizer.epochs == pytest.approx(10)
    optimizer = finetune.optimizer
    assert (optimizer.epochs, optimizer.batch_size, optimizer.base_lr, optimizer.weight_decay) == (
        100,
        1024,
        5e-4,
        0.05,
    )
    assert optimizer.warmup * optimizer.epochs == pytest.approx(5)
    assert optimizer.betas == (0.9, 0.999)
    assert (finetune.augment_magnitude, finetune.augment_std, finetune.erase) == (9, 0.5, 0.25)
    assert (finetune.mixup, finetune.cutmix, finetune.label_smoothing) == (0.8, 1.0, 0.1)
    assert (finetune.encoder.layer_decay, finetune.encoder.drop_path, finetune.pooling) == (0.65, 0.1, "average")
    assert finetune.encoder.image_hw == (224, 224)
