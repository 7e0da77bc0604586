"""Readers of weights."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fuzz.byte_damage import damage_bytes
from fuzz.reader import Files, Reader, damaging, files_below, one_of
from fuzz.sealed_damage import damage_safetensors, damage_zip
from fuzz.tree_damage import damage_json
from rmae.config import ModelConfig
from rmae.config.encoder import EncoderConfig
from rmae.evaluation.encoder import open_encoder
from rmae.models.build import build_model
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.models.weights import export_detectron2, export_reference, export_timm, export_transformers, load, save_model
from rmae.training.checkpoint import RunProgress, read_progress, restore_checkpoint, save_checkpoint

_CONFIG = ModelConfig(
    img_size=32, patch_size=16, embed_dim=8, depth=1, num_heads=2, decoder_embed_dim=8, decoder_depth=1,
    decoder_num_heads=2, region_embed_dim=8, region_encoder_num_heads=2, region_decoder_num_heads=2, num_regions=2,
)  # fmt: skip
_WEIGHTS, _SETTINGS = "saved/model.safetensors", "saved/config.json"


def _model(**changes: Any) -> MaskedAutoencoder:
    model = build_model(replace(_CONFIG, **changes), generator=torch.Generator().manual_seed(0))
    model.pixel_mean, model.pixel_std = (0.4, 0.5, 0.6), (0.2, 0.2, 0.2)
    return model


def _check(model: MaskedAutoencoder) -> None:
    config = model.config
    assert model.encoder.embed_dim == config.encoder_shape.embed_dim
    assert len(model.encoder.blocks) == config.encoder_shape.depth
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    for numbers in (model.pixel_mean, model.pixel_std):
        assert numbers is None or (len(numbers) == config.channels and all(map(math.isfinite, numbers)))


def _make_folder(folder: Path) -> list[Files]:
    found = []
    for task in ("rmae", "mae"):
        save_model(_model(task=task), folder / task)
        found.append({f"saved/{name}": content for name, content in files_below(folder / task).items()})
    return found


def _read_folder(folder: Path) -> None:
    _check(load(folder / "saved"))


def _make_foreign(folder: Path) -> list[Files]:
    model = _model(task="mae")
    export_timm(model, folder / "timm")
    export_transformers(model, folder / "vit")
    export_transformers(model, folder / "vit_mae", architecture="vit_mae")
    found = [
        {f"saved/{name}": content for name, content in files_below(folder / kind).items()}
        for kind in ("timm", "vit", "vit_mae")
    ]
    parts = {"weight_map": {"encoder": "model-1.safetensors"}}
    sharded = dict(found[1])
    sharded["saved/model-1.safetensors"] = sharded.pop(_WEIGHTS)
    sharded["saved/model.safetensors.index.json"] = json.dumps(parts).encode()
    return [*found, sharded]


def _make_pth(folder: Path) -> list[Files]:
    model = _model(embed_dim=64, num_heads=1)
    export_reference(model, folder / "reference.pth")
    export_detectron2(_model(task="mae", embed_dim=64, num_heads=1), folder / "vitdet.pth")
    torch.save(model.encoder.state_dict(), folder / "bare.pth")
    torch.save(model.encoder.state_dict(), folder / "old.pth", _use_new_zipfile_serialization=False)
    return [{"a.pth": (folder / f"{name}.pth").read_bytes()} for name in ("reference", "vitdet", "bare", "old")]


def _damage_pth(generator: Any, content: bytes, others: Any) -> bytes:
    return damage_zip(generator, content, others) if content[:2] == b"PK" else damage_bytes(generator, content, others)


def _make_file(folder: Path) -> list[Files]:
    from safetensors.torch import save_file

    save_file(_model(embed_dim=64, num_heads=1).encoder.state_dict(), folder / "a.safetensors")
    return [{"a.safetensors": (folder / "a.safetensors").read_bytes()}]


def _optimizer(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=0.1)


def _make_checkpoint(folder: Path) -> list[Files]:
    model = _model(task="mae")
    optimizer = _optimizer(model)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    save_checkpoint(folder / "checkpoints", model, optimizer, RunProgress(3, (0.5, 1.0), 2), {"model": {}})
    return [{f"run/{name}": content for name, content in files_below(folder).items()}]


_CHECKPOINT = "run/checkpoints/update_000000003"


def _read_checkpoint(folder: Path) -> None:
    progress = read_progress(folder / "run")
    assert progress.update >= 0
    assert progress.window_updates >= 0
    if progress.update != 3:
        return  # another checkpoint, which is not there
    model = _model(task="mae")
    optimizer = _optimizer(model)
    restore_checkpoint(folder / "run", model, optimizer, progress)
    for parameter in model.parameters():
        for name, moment in optimizer.state.get(parameter, {}).items():
            assert name == "step" or moment.shape == parameter.shape
            assert moment.dtype == torch.float32


def _make_timm(folder: Path) -> list[Files]:
    import timm

    arguments = {"img_size": 32, "patch_size": 16, "embed_dim": 8, "depth": 1, "num_heads": 2, "init_values": 0.1}
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0, **arguments).eval()
    pretrained = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "input_size": [3, 32, 32]}
    found = []
    for safe in (True, False):
        timm.models.save_for_hf(
            vit, folder / str(safe), model_config=pretrained, model_args=arguments, safe_serialization=safe
        )
        found.append({f"saved/{name}": content for name, content in files_below(folder / str(safe)).items()})
    return found


def _read_encoder(folder: Path) -> None:
    encoder = open_encoder(folder / "saved", EncoderConfig(), seed=0)
    assert encoder.patch_size >= 1
    assert len(encoder.pixel_mean) == len(encoder.pixel_std) == 3


_damage_folder = one_of(damaging(_SETTINGS, by=damage_json), damaging(_WEIGHTS, by=damage_safetensors))
_INDEX = "saved/model.safetensors.index.json"

READERS = (
    Reader("model folder", _make_folder, _read_folder, _damage_folder, named="saved"),
    Reader(
        "folders of timm and transformers",
        _make_foreign,
        _read_folder,
        one_of(
            damaging(_SETTINGS, "saved/preprocessor_config.json", _INDEX, by=damage_json),
            damaging(_WEIGHTS, "saved/model-1.safetensors", by=damage_safetensors),
        ),
        named="saved",
    ),
    Reader(
        ".pth file",
        _make_pth,
        lambda folder: _check(load(folder / "a.pth")),
        damaging("a.pth", by=_damage_pth),
        named="a.pth",
    ),
    Reader(
        "bare safetensors",
        _make_file,
        lambda folder: _check(load(folder / "a.safetensors")),
        damaging("a.safetensors", by=damage_safetensors),
        named="a.safetensors",
    ),
    Reader(
        "checkpoint",
        _make_checkpoint,
        _read_checkpoint,
        one_of(
            damaging(f"{_CHECKPOINT}/config.json", by=damage_json),
            damaging(f"{_CHECKPOINT}/model.safetensors", by=damage_safetensors),
        ),
        named="update_000000003",
    ),
    Reader(
        "timm folder as encoder",
        _make_timm,
        _read_encoder,
        one_of(
            damaging(_SETTINGS, by=damage_json),
            damaging(
                _WEIGHTS,
                "saved/pytorch_model.bin",
                by=lambda generator, content, others: (damage_zip if content[:2] == b"PK" else damage_safetensors)(
                    generator, content, others
                ),
            ),
        ),
        named="saved",
    ),
)
