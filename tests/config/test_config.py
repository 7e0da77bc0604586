import re
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

import pytest

from rmae.config import DataConfig, EncoderShape, LossConfig, ModelConfig, OptimizerConfig, PretrainConfig, RunConfig
from rmae.config.model import _REGION_FIELDS

INF, NAN = float("inf"), float("nan")

REFUSED_MODELS = [
    *[
        ({name: 0}, f"{name} is 0; it must be at least 1")
        for name in (
            "patch_size", "channels", "embed_dim", "depth", "num_heads", "decoder_embed_dim", "decoder_depth",
            "decoder_num_heads", "region_embed_dim", "region_encoder_depth", "region_encoder_num_heads", "neck_depth",
            "region_decoder_depth", "region_decoder_num_heads", "num_regions",
        )
    ],
    ({"mlp_ratio": 0.0}, "mlp_ratio is 0.0; it must be above 0, and at most 1,000"),
    ({"mlp_ratio": 1e19}, "mlp_ratio is 1e+19; it must be above 0, and at most 1,000"),
    ({"mlp_ratio": NAN}, "mlp_ratio is nan"),
    ({"img_size": 230}, "img_size 230 is not divisible by patch_size 16; the nearest that are: 224 or 240"),
    ({"img_size": (224, 230)}, "img_size 230 is not divisible by patch_size 16; the nearest that are: 224 or 240"),
    ({"img_size": 8}, "img_size 8 is not divisible by patch_size 16; the nearest that are: 16"),
    ({"img_size": 0}, "img_size is 0; every side must be at least 1 pixel"),
    ({"img_size": -16}, "img_size is -16; every side must be at least 1 pixel"),
    ({"img_size": (32, 32, 32)}, "img_size is (32, 32, 32); give one side, or height and width"),
    ({"task": "x"}, "task is 'x'; it must be one of mae, rae, rmae"),
    ({"mlp_ratio": INF}, "mlp_ratio is inf; it must be finite"),
    ({"mask_ratio": 0.0}, "mask_ratio is 0.0; it must lie between 0 and 1, both excluded"),
    ({"mask_ratio": 1.0}, "mask_ratio is 1.0; it must lie between 0 and 1, both excluded"),
    ({"mask_ratio": NAN}, "mask_ratio is nan; it must be finite"),
    ({"region_mask_ratio": 75.0}, "region_mask_ratio is 75.0; it must lie between 0 and 1"),
    ({"mask_ratio": 0.999}, "with mask_ratio 0.999 none of the 196 patches is visible; at least one must be"),
    ({"img_size": 16}, "with mask_ratio 0.75 none of the 1 patches is visible"),
    ({"mask_ratio": 1e-17}, "with mask_ratio 1e-17 none of the 196 patches is hidden; at least one must be"),
    ({"region_mask_ratio": 0.999}, "with region_mask_ratio 0.999 none of the 196 patches is visible"),
    ({"region_variant": "x"}, "region_variant is 'x'; it must be one of length, batch, channel"),
    (
        {"feeding": "both", "region_variant": "batch"},
        "feeding is both, but region_variant batch has no tokens of regions that pixels could see; take region_variant "
        "length, or feeding pixel_to_region or none",
    ),
    ({"feeding": "region_to_pixel", "region_variant": "channel"}, "feeding is region_to_pixel, but region_variant"),
    ({"feeding": "both", "task": "rae"}, "feeding is both, which needs pixels and regions, but the task is rae; take"),
    ({"feeding": "region_to_pixel", "task": "mae"}, "feeding is region_to_pixel, which needs pixels and regions, but"),
    ({"feeding": "none", "task": "rae"}, "the task is rae and feeding is none, so that nothing would train the pixel"),
    ({"masking": "region_visible", "task": "mae"}, "masking is region_visible, but the task mae has no regions; take"),
    ({"masking": "region_biased", "task": "mae"}, "masking is region_biased, but the task mae has no regions; take"),
    ({"shared_mask": False, "task": "mae"}, "shared_mask is off, but the task mae has one mask only; leave it on, or"),
    ({"embed_dim": 30, "num_heads": 3}, "embed_dim is 30; it must be divisible by 4"),
    ({"embed_dim": 100}, "embed_dim 100 is not divisible by num_heads 12"),
    ({"num_heads": 7}, "embed_dim 768 is not divisible by num_heads 7"),
    ({"decoder_embed_dim": 510}, "decoder_embed_dim is 510; it must be divisible by 4"),
    ({"decoder_num_heads": 7}, "decoder_embed_dim 512 is not divisible by decoder_num_heads 7"),
    ({"region_embed_dim": 126}, "region_embed_dim is 126; it must be divisible by 4"),
    ({"region_encoder_num_heads": 7}, "region_embed_dim 128 is not divisible by region_encoder_num_heads 7"),
    ({"region_decoder_num_heads": 7}, "region_embed_dim 128 is not divisible by region_decoder_num_heads 7"),
]  # fmt: skip

REFUSED_DATA = [
    ({"held_out": -1}, "held_out is -1; it must be at least 0"),
    ({"crops_per_image": 0}, "crops_per_image is 0; it must be at least 1"),
    ({"crop_scale": (0.0, 1.0)}, "crop_scale is 0.0 to 1.0; it must run from above 0 to no less"),
    ({"crop_scale": (0.8, 0.2)}, "crop_scale is 0.8 to 0.2; it must run from above 0 to no less"),
    ({"crop_scale": (0.2, 1.5)}, "crop_scale ends at 1.5; a crop covers at most 1 of the image"),
    ({"crop_ratio": (-1.0, 1.0)}, "crop_ratio is -1.0 to 1.0; it must run from above 0 to no less"),
    ({"crop_ratio": (2.0, 1.0)}, "crop_ratio is 2.0 to 1.0; it must run from above 0 to no less"),
    ({"flip": 1.5}, "flip is 1.5; it is a probability in [0, 1]"),
    ({"flip": -0.1}, "flip is -0.1; it is a probability in [0, 1]"),
    ({"pixel_mean": (0.5,)}, "pixel_mean has 1 values and pixel_std 3; give one per channel"),
    ({"pixel_std": (0.2, 0.0, 0.2)}, "pixel_std is (0.2, 0.0, 0.2); each value must be above 0"),
    ({"region_area": (-0.1, 1.0)}, "region_area is -0.1 to 1.0; it must run from at least 0 to at most 1"),
    ({"region_area": (0.0, 1.1)}, "region_area is 0.0 to 1.1; it must run from at least 0 to at most 1"),
    ({"region_area": (0.5, 0.1)}, "region_area is 0.5 to 0.1; it must run from at least 0 to at most 1"),
    ({"max_pixels": 0}, "max_pixels is 0; it must be at least 1"),
    ({"max_bad_share": 5.0}, "max_bad_share is 5.0; it must lie in [0, 1]"),
    ({"max_bad_share": -0.5}, "max_bad_share is -0.5; it must lie in [0, 1]"),
    ({"num_workers": -1}, "num_workers is -1; it must be at least 0, or None"),
]

REFUSED_LOSSES = [
    ({name: value}, f"{name} is {value}; it must be " + ("at least 0" if value == -1 else "finite"))
    for name in ("pixel_weight", "region_weight", "background_weight")
    for value in (-1.0, INF, NAN)
]

REFUSED_OPTIMIZERS = [
    ({"updates": 10}, "epochs is 800 and updates is 10; give one of them and None for the other"),
    ({"epochs": None}, "epochs is None and updates is None; give one of them and None for the other"),
    ({"epochs": 0}, "epochs is 0; it must be above 0"),
    ({"epochs": None, "updates": 0}, "updates is 0; it must be at least 1"),
    ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
    ({"batch_size": 8, "accumulate": 3}, "batch_size 8 cannot be split into accumulate 3 equal steps"),
    ({"batch_size": 8, "accumulate": 0}, "batch_size 8 cannot be split into accumulate 0 equal steps"),
    ({"batch_size": 8, "accumulate": 16}, "batch_size 8 cannot be split into accumulate 16 equal steps"),
    ({"base_lr": 0.0}, "base_lr is 0.0; it must be above 0"),
    ({"base_lr": NAN}, "base_lr is nan"),
    ({"warmup": 1.0}, "warmup is 1.0; it is a share of the updates in [0, 1)"),
    ({"warmup": 40.0}, "warmup is 40.0; it is a share of the updates in [0, 1)"),
    ({"warmup": -0.1}, "warmup is -0.1; it is a share of the updates in [0, 1)"),
    ({"weight_decay": -0.05}, "weight_decay is -0.05; it must be at least 0"),
    ({"betas": (0.9, 1.0)}, "betas are (0.9, 1.0); each must lie in [0, 1)"),
    ({"betas": (-0.1, 0.9)}, "betas are (-0.1, 0.9); each must lie in [0, 1)"),
    ({"clip_grad": 0.0}, "clip_grad is 0.0; it must be above 0, or None"),
]

REFUSED_RUNS = [
    ({"seed": -1}, "seed is -1; it must be at least 0"),
    ({"log_every": 0}, "log_every is 0; it must be at least 1"),
    ({"checkpoint_every": 0}, "checkpoint_every is 0; it must be at least 1"),
    ({"keep_newest": 0}, "keep_newest is 0; it must be at least 1"),
    ({"keep_every": 1500}, "keep_every is 1500; it must be a multiple of checkpoint_every 1000, or None"),
    ({"keep_every": 0}, "keep_every is 0; it must be a multiple of checkpoint_every 1000, or None"),
]


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        pytest.param(kind, settings, sentence, id=f"{kind.__name__}-{settings}")
        for kind, refused in (
            (ModelConfig, REFUSED_MODELS),
            (DataConfig, REFUSED_DATA),
            (LossConfig, REFUSED_LOSSES),
            (OptimizerConfig, REFUSED_OPTIMIZERS),
            (RunConfig, REFUSED_RUNS),
        )
        for settings, sentence in refused
    ],
)
def test_value_out_of_range_is_named_with_what_is_allowed(kind: Any, settings: dict[str, Any], sentence: str):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        kind(**settings)


@pytest.mark.parametrize("task", ["rae", "rmae"])
def test_regions_need_a_source(task: Any):
    with pytest.raises(ValueError, match=f"^the task is {task} but regions is None; name a source of regions"):
        PretrainConfig(model=ModelConfig(task=task), data=DataConfig(regions=None))


def test_pixels_alone_need_no_source_of_regions():
    assert PretrainConfig(model=ModelConfig(task="mae"), data=DataConfig(regions=None)).data.regions is None


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        ({"task": "mae"}, {"pixel_weight": 0.0}),
        ({"task": "rae"}, {"region_weight": 0.0}),
        ({"task": "rmae"}, {"pixel_weight": 0.0, "region_weight": 0.0}),
        ({"feeding": "none"}, {"pixel_weight": 0.0}),
        ({"feeding": "region_to_pixel"}, {"pixel_weight": 0.0}),
    ],
)
def test_some_loss_must_train_the_pixel_encoder(model: Any, loss: Any):
    with pytest.raises(ValueError, match=r"^with the task .* no loss would train the pixel encoder; raise a weight$"):
        PretrainConfig(model=ModelConfig(**model), loss=LossConfig(**loss))


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        ({"task": "rmae"}, {"pixel_weight": 0.0}),
        ({"task": "rmae", "feeding": "both"}, {"pixel_weight": 0.0}),
        ({"task": "rmae", "feeding": "none"}, {"region_weight": 0.0}),
    ],
)
def test_one_loss_is_enough(model: Any, loss: Any):
    PretrainConfig(model=ModelConfig(**model), loss=LossConfig(**loss))


def test_statistics_must_be_given_per_channel_or_measured():
    model = ModelConfig(channels=1)
    with pytest.raises(ValueError, match=r"^channels is 1 but pixel_mean has 3 value\(s\); give one mean and one"):
        PretrainConfig(model=model)
    PretrainConfig(model=model, data=DataConfig(pixel_mean=(0.5,), pixel_std=(0.2,)))
    PretrainConfig(model=model, data=DataConfig(measure_statistics=True))


def test_limits_themselves_are_allowed():
    DataConfig(
        held_out=0, crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=0.0, region_area=(0.5, 0.5), max_bad_share=0.0,
        num_workers=0,
    )  # fmt: skip
    DataConfig(flip=1.0, max_bad_share=1.0)
    LossConfig(pixel_weight=0.0, region_weight=0.0, background_weight=0.0)
    OptimizerConfig(warmup=0.0, weight_decay=0.0, betas=(0.0, 0.0), batch_size=8, accumulate=8)
    RunConfig(checkpoint_every=500, keep_every=1500)
    ModelConfig(img_size=32, mask_ratio=0.75)  # 4 patches, 1 of them visible


def test_image_may_be_a_rectangle():
    model = ModelConfig(img_size=(96, 160), patch_size=8)

    assert model.image_hw == (96, 160)
    assert model.grid == (12, 20)


def test_one_side_stands_for_a_square():
    model = ModelConfig(img_size=224)

    assert model.image_hw == (224, 224)
    assert model.grid == (14, 14)


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ("tiny", (192, 12, 3)),
        ("small", (384, 12, 6)),
        ("base", (768, 12, 12)),
        ("large", (1024, 24, 16)),
        ("huge", (1280, 32, 16)),
    ],
)
def test_size_names_the_shape_of_the_encoder(size: Any, shape: tuple[int, int, int]):
    assert ModelConfig(size=size).encoder_shape == shape


def test_each_dimension_of_the_encoder_can_be_overridden():
    assert ModelConfig(size="large", embed_dim=512).encoder_shape == EncoderShape(512, 24, 16)
    assert ModelConfig(size="large", depth=2).encoder_shape == EncoderShape(1024, 2, 16)
    assert ModelConfig(size="large", num_heads=8).encoder_shape == EncoderShape(1024, 24, 8)


@pytest.mark.parametrize(
    ("task", "pixels", "regions"), [("mae", True, False), ("rae", False, True), ("rmae", True, True)]
)
def test_task_says_what_is_reconstructed(task: Any, pixels: bool, regions: bool):
    model = ModelConfig(task=task)

    assert (model.has_pixel_decoder, model.has_region_branch) == (pixels, regions)


def test_papers_run_on_coco_has_115515_updates():
    assert OptimizerConfig(epochs=4000, batch_size=4096).num_updates(118_287) == 115_515


def test_number_of_updates_is_rounded_up():
    assert OptimizerConfig(epochs=1, batch_size=10).num_updates(20) == 2
    assert OptimizerConfig(epochs=1, batch_size=10).num_updates(21) == 3
    assert OptimizerConfig(epochs=0.5, batch_size=10).num_updates(30) == 2


def test_number_of_updates_can_be_given():
    assert OptimizerConfig(epochs=None, updates=7).num_updates(118_287) == 7


def test_learning_rate_grows_with_the_batch():
    assert OptimizerConfig(base_lr=1e-4, batch_size=4096).lr == pytest.approx(1.6e-3)
    assert OptimizerConfig(base_lr=1e-4, batch_size=256).lr == 1e-4
    assert OptimizerConfig(base_lr=1e-4, batch_size=64, accumulate=2).lr == pytest.approx(2.5e-5)


def test_configurations_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        ModelConfig().depth = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_names_of_all_knobs_differ_so_that_flags_need_no_prefix():
    def names(kind: Any) -> list[str]:
        return [n for f in fields(kind) for n in (names(f.type) if is_dataclass(f.type) else [f.name])]

    knobs = names(PretrainConfig)

    assert len(knobs) == len(set(knobs)) > 50


def test_the_mae_of_a_model_keeps_what_is_not_of_regions():
    model = ModelConfig(
        size="tiny", img_size=96, decoder_depth=3, mask_ratio=0.6, region_variant="batch", feeding="none", neck_depth=4,
        region_mask_ratio=0.5, shared_mask=False, masking="region_biased", num_regions=3, region_embed_dim=64,
    )  # fmt: skip
    mae = ModelConfig(task="mae", size="tiny", img_size=96, decoder_depth=3, mask_ratio=0.6)
    assert model.without_regions() == mae
    assert mae.without_regions() == mae


def test_every_knob_of_the_model_is_of_regions_or_of_the_mae():
    """Which a new one is has to be decided, since costs are compared with those of the MAE."""
    kept = {
        "task", "img_size", "patch_size", "channels", "mask_ratio", "size", "embed_dim", "depth", "num_heads",
        "mlp_ratio", "decoder_embed_dim", "decoder_depth", "decoder_num_heads",
    }  # fmt: skip
    regions = {
        "region_variant", "feeding", "num_regions", "region_mask_ratio", "shared_mask", "masking", "region_embed_dim",
        "region_encoder_depth", "region_encoder_num_heads", "neck_depth", "region_decoder_depth",
        "region_decoder_num_heads",
    }  # fmt: skip
    assert {knob.name for knob in fields(ModelConfig)} == kept | regions
    assert set(_REGION_FIELDS) == regions
