import json
import pickle
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter
from safetensors.torch import load_file, save_file
from torch.nn.functional import interpolate
from torchvision.ops import box_iou, masks_to_boxes
from transformers import SamImageProcessor, SamModel, ViTConfig

from rmae.regions.overlap import stack_masks
from rmae.regions.segment_anything import SegmentAnything

SIDE = 64  # pixels that the tiny model of `sam_checkpoint` sees on each side

ROWS, COLUMNS = np.mgrid[:37, :61]
IMAGE = np.stack([128 + 100 * np.sin(COLUMNS / 9) * np.cos(ROWS / 7), 4 * COLUMNS, 6 * ROWS], axis=-1).astype(np.uint8)


@pytest.fixture(scope="module")
def source(sam_checkpoint: Path) -> SegmentAnything:
    """A source that keeps every mask of a grid of 3 x 3 points."""
    return SegmentAnything(
        checkpoint=str(sam_checkpoint),
        points_per_side=3,
        iou_threshold=0,
        stability_threshold=0,
        nms_threshold=1,
        device="cpu",
    )


@pytest.fixture
def own_checkpoint(sam_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint that a test may damage."""
    return shutil.copytree(sam_checkpoint, tmp_path / "own")


def masks_by_hand(source: SegmentAnything, image: np.ndarray) -> list[np.ndarray]:
    """The masks that the settings ask for, best first, from one run of the bare model."""
    model = SamModel.from_pretrained(source.checkpoint).eval()
    seen = SamImageProcessor.from_pretrained(source.checkpoint)(Image.fromarray(image), return_tensors="pt")
    rows, columns = seen["reshaped_input_sizes"][0].tolist()
    step = 1 / source.points_per_side
    places = torch.linspace(step / 2, 1 - step / 2, source.points_per_side)
    points = [[[x * columns, y * rows]] for y in places for x in places]
    with torch.no_grad():
        output = model(pixel_values=seen["pixel_values"], input_points=torch.tensor([points]))
    padded = interpolate(output.pred_masks[0], (SIDE, SIDE), mode="bilinear")
    logits = interpolate(padded[..., :rows, :columns], image.shape[:2], mode="bilinear").flatten(0, 1)
    predicted_iou = output.iou_scores.flatten()
    good = (logits > 0).any(2).any(1) & (predicted_iou > source.iou_threshold)
    if source.stability_threshold > 0:
        good &= (logits > 1).sum((1, 2)) / (logits > -1).sum((1, 2)) > source.stability_threshold
    best_first = [i for i in predicted_iou.argsort(descending=True).tolist() if good[i]]
    masks = logits[best_first] > 0
    overlaps = box_iou(masks_to_boxes(masks), masks_to_boxes(masks))
    kept: list[int] = []
    for i in range(len(masks)):
        if not (overlaps[i, kept] > source.nms_threshold).any():
            kept.append(i)
    return list(masks[kept].numpy())


@pytest.mark.parametrize(
    "settings",
    [
        {"points_per_side": 1},
        {"points_per_side": 2},
        {"iou_threshold": 0.6},
        {"stability_threshold": 0.5},
        {"nms_threshold": 0.7},
        {"nms_threshold": 0.3},
        {"iou_threshold": 0.5, "stability_threshold": 0.2, "nms_threshold": 0.8},
    ],
)
def test_masks_are_those_of_the_model_that_the_settings_let_pass(source: SegmentAnything, settings: dict):
    masks = masks_by_hand(replace(source, **settings), IMAGE)
    assert 1 < len(masks) < 27
    label_maps = replace(source, **settings)(IMAGE, "any name")
    np.testing.assert_array_equal(label_maps, stack_masks(masks, 37, 61), strict=True)


@pytest.mark.parametrize("size", [(64, 64), (37, 61), (61, 37), (150, 90), (1, 1), (2, 31)])
def test_label_maps_have_the_size_of_the_image(source: SegmentAnything, size: tuple[int, int]):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    before = image.copy()
    label_maps = source(image, "any name")
    assert len(label_maps) > 0
    np.testing.assert_array_equal(label_maps, stack_masks(masks_by_hand(source, image), *size), strict=True)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("points_per_batch", [4, 64])
def test_without_a_mask_there_are_no_maps(source: SegmentAnything, points_per_batch: int):
    # No stability is above 1, so nothing passes.
    label_maps = replace(source, stability_threshold=1, points_per_batch=points_per_batch)(IMAGE, "any name")
    assert (label_maps.shape, label_maps.dtype) == ((0, 37, 61), np.int32)


def test_grey_is_the_same_in_three_channels(source: SegmentAnything):
    grey = IMAGE[..., :1]
    label_maps = source(grey, "any name")
    np.testing.assert_array_equal(label_maps, source(np.repeat(grey, 3, axis=2), "any name"))
    assert not np.array_equal(label_maps, source(IMAGE, "any name"))


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_the_same_picture(source: SegmentAnything, channels: int):
    image = (255 - IMAGE)[..., 3 - channels :]  # from 0 to 255 in the last channel too
    deep = image.astype(np.uint16) * 257
    np.testing.assert_array_equal(source(deep, "any name"), source(image, "any name"))


def test_16_bits_are_rounded_to_the_nearest_of_8(source: SegmentAnything):
    deep = IMAGE.astype(np.uint16).clip(1, 254) * 257
    for nearby in (deep - 128, deep + 128):
        np.testing.assert_array_equal(source(nearby, "any name"), source(IMAGE.clip(1, 254), "any name"))


def test_transparency_lies_over_white(source: SegmentAnything):
    alpha = np.full((37, 61, 1), 255, np.uint8)
    alpha[:, 30:] = 0
    over_white = np.where(alpha == 255, IMAGE, 255).astype(np.uint8)
    label_maps = source(np.concatenate([IMAGE, alpha], axis=2), "any name")
    np.testing.assert_array_equal(label_maps, source(over_white, "any name"))
    assert not np.array_equal(label_maps, source(IMAGE, "any name"))


def test_a_call_depends_on_no_global_generator_and_draws_from_none(source: SegmentAnything):
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        label_maps = replace(source)(IMAGE, f"name {seed}")
        assert torch.equal(torch.get_rng_state(), before)
        np.testing.assert_array_equal(label_maps, source(IMAGE, "any name"))


@pytest.mark.parametrize(("points_per_batch", "expected"), [(4, [4, 4, 1]), (1, [1] * 9), (64, [9])])
def test_points_are_asked_at_in_passes(
    source: SegmentAnything, points_per_batch: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
):
    source = replace(source, stability_threshold=0.5)  # so that some passes of one point find nothing
    label_maps = source(IMAGE, "any name")
    passes: list[int] = []
    forward = SamModel.forward

    def counted(*arguments: Any, **inputs: Any) -> Any:
        passes.append(inputs["input_points"].shape[1])
        return forward(*arguments, **inputs)

    monkeypatch.setattr(SamModel, "forward", counted)
    in_passes = replace(source, points_per_batch=points_per_batch)(IMAGE, "any name")
    assert passes == expected
    np.testing.assert_array_equal(in_passes, label_maps)


def test_the_model_is_loaded_at_the_first_image_and_once(own_checkpoint: Path, source: SegmentAnything):
    source = replace(source, checkpoint=str(own_checkpoint))
    away = own_checkpoint.rename(own_checkpoint.with_name("away"))
    with pytest.raises(ValueError, match="no Segment Anything model can be loaded"):
        source(IMAGE, "any name")
    away.rename(own_checkpoint)
    label_maps = source(IMAGE, "any name")
    shutil.rmtree(own_checkpoint)
    np.testing.assert_array_equal(source(IMAGE, "any name"), label_maps)


def test_a_source_stays_its_settings_when_the_model_is_loaded(own_checkpoint: Path, source: SegmentAnything):
    fresh = replace(source, checkpoint=str(own_checkpoint))
    used = replace(fresh)
    label_maps = used(IMAGE, "any name")
    assert (used, hash(used), repr(used)) == (fresh, hash(fresh), repr(fresh))
    assert pickle.dumps(used) == pickle.dumps(fresh)
    copied = pickle.loads(pickle.dumps(used))
    assert copied == used
    np.testing.assert_array_equal(copied(IMAGE, "any name"), label_maps)
    shutil.rmtree(own_checkpoint)
    with pytest.raises(ValueError, match="no Segment Anything model can be loaded"):
        pickle.loads(pickle.dumps(used))(IMAGE, "any name")


def test_settings_come_back_from_json(source: SegmentAnything):
    source(IMAGE, "any name")
    settings = TypeAdapter(SegmentAnything)
    saved = json.loads(settings.dump_json(source))
    assert saved == {
        "checkpoint": source.checkpoint,
        "points_per_side": 3,
        "points_per_batch": 64,
        "iou_threshold": 0,
        "stability_threshold": 0,
        "nms_threshold": 1,
        "device": "cpu",
        "kind": "sam",
    }
    assert settings.validate_json(json.dumps(saved), strict=True, extra="forbid") == source


def test_a_folder_is_read_without_the_network(source: SegmentAnything, monkeypatch: pytest.MonkeyPatch):
    asked: list[object] = []

    def refuse(*arguments: object, **settings: object) -> None:
        asked.append(arguments)
        raise OSError("no network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    replace(source)(IMAGE, "any name")
    assert asked == []


def test_settings_need_neither_torch_nor_transformers():
    program = (
        "import sys; from rmae.regions.segment_anything import SegmentAnything; SegmentAnything(checkpoint='a/b'); "
        "sys.exit(bool({'torch', 'transformers', 'PIL'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_defaults_are_those_of_the_automatic_mask_generator():
    source = SegmentAnything(checkpoint="facebook/sam-vit-base")
    thresholds = (source.iou_threshold, source.stability_threshold, source.nms_threshold)
    assert (source.points_per_side, source.points_per_batch, *thresholds) == (32, 64, 0.88, 0.95, 0.7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"points_per_side": 0}, "points_per_side is 0; it must be at least 1"),
        ({"points_per_batch": -2}, "points_per_batch is -2; it must be at least 1"),
        ({"iou_threshold": 1.5}, "iou_threshold is 1.5; it must lie between 0 and 1"),
        ({"stability_threshold": -0.1}, "stability_threshold is -0.1; it must lie between 0 and 1"),
        ({"nms_threshold": float("nan")}, "nms_threshold is nan; it must lie between 0 and 1"),
    ],
)
def test_wrong_settings_are_explained_before_the_model_is_loaded(settings: dict, message: str):
    with pytest.raises(ValueError, match=message):
        SegmentAnything(checkpoint="nowhere", **settings)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), "the image to segment is float32; give uint8 or uint16"),
        (np.zeros((4, 4), np.uint8), r"has shape \(4, 4\); Segment Anything takes \(H, W, M\)"),
        (np.zeros((4, 4, 2), np.uint8), r"has shape \(4, 4, 2\); .* M = 1 \(grey\), 3 \(RGB\) or 4 \(RGB and alpha\)"),
        (np.zeros((4, 4, 5), np.uint16), r"has shape \(4, 4, 5\)"),
        (np.zeros((0, 4, 3), np.uint8), r"has shape \(0, 4, 3\); .* at least 1 pixel"),
    ],
)
def test_wrong_images_are_explained_before_the_model_is_loaded(image: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        SegmentAnything(checkpoint="nowhere")(image, "any name")


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def become_another_model(folder: Path) -> None:
    ViTConfig().save_pretrained(folder)


def break_settings(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def pickle_weights(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def damage_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"no tensors")


def lose_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["mask_decoder.iou_token.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def lose_image_settings(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (empty, "config.json"),
        (become_another_model, "the model_type in its config.json is vit"),
        (break_settings, "config.json' is not a valid JSON file"),
        (pickle_weights, "no file named model.safetensors"),
        (damage_weights, "header"),
        (lose_a_weight, "its weights lack mask_decoder.iou_token.weight"),
        (lose_image_settings, "image processor"),
    ],
)
def test_other_folders_are_explained_in_one_line(
    source: SegmentAnything, own_checkpoint: Path, damage: Callable[[Path], None], reason: str
):
    damage(own_checkpoint)
    with pytest.raises(ValueError, match="no Segment Anything model can be loaded") as caught:
        replace(source, checkpoint=str(own_checkpoint))(IMAGE, "any name")
    sentence = str(caught.value)
    assert sentence.startswith(f"no Segment Anything model can be loaded from {own_checkpoint} (")
    assert reason in sentence
    assert "give a folder with config.json, model.safetensors and preprocessor_config.json" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("checkpoint", "reason"),
    [
        ("a/b/c", "Repo id must be in the form"),
        ("nobody/no-such-model", "We couldn't connect"),
    ],
)
def test_what_is_no_folder_and_cannot_be_had_from_the_hub_is_explained_in_one_line(
    checkpoint: str, reason: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ValueError, match=rf"model can be loaded from {checkpoint} \({reason}.*\); give a folder"
    ) as caught:
        SegmentAnything(checkpoint=checkpoint)(IMAGE, "any name")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_explained(source: SegmentAnything, device: str):
    with pytest.raises(ValueError, match=rf"cannot run on the device {device} here \(.*\); set device to cpu, or make"):
        replace(source, device=device)(IMAGE, "any name")


def test_a_missing_library_names_the_extra(source: SegmentAnything, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match=r"transformers library, which is not installed; .* pip install 'rmae\[sam\]'"):
        replace(source)(IMAGE, "any name")
