import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import SamImageProcessor, SamModel

from rmae.evaluation.interactive.method import Click
from rmae.evaluation.interactive.sam_method import SamMethod

ROWS, COLUMNS = np.mgrid[:37, :61]
IMAGE = np.stack([128 + 100 * np.sin(COLUMNS / 9) * np.cos(ROWS / 7), 4 * COLUMNS, 6 * ROWS], axis=-1).astype(np.uint8)
CLICKS = [Click(30.5, 10.5, True), Click(5.5, 30.5, False), Click(44.5, 20.5, True)]


def best_mask_by_hand(checkpoint: Path, image: np.ndarray, clicks: list[Click]) -> tuple[np.ndarray, float]:
    """From one run of the whole model, pictures and all."""
    model = SamModel.from_pretrained(checkpoint).eval()
    processor = SamImageProcessor.from_pretrained(checkpoint)
    seen = processor(Image.fromarray(image), return_tensors="pt")
    height, width = seen["reshaped_input_sizes"][0].tolist()
    points = [[click.x / image.shape[1] * width, click.y / image.shape[0] * height] for click in clicks]
    with torch.no_grad():
        output = model(
            pixel_values=seen["pixel_values"],
            input_points=torch.tensor([[points]]),
            input_labels=torch.tensor([[[int(click.positive) for click in clicks]]]),
        )
    masks = processor.post_process_masks(output.pred_masks, [image.shape[:2]], [(height, width)])[0][0]
    best = int(output.iou_scores[0, 0].argmax())
    return masks[best].numpy(), float(output.iou_scores[0, 0, best].clamp(0, 1))


@pytest.fixture(params=[0, 2])
def checkpoint(request, sam_checkpoint: Path, tmp_path: Path) -> Path:
    """The tiny model as it is, which rates the first of three masks highest, and one that does so with the last."""
    if request.param == 0:
        return sam_checkpoint
    folder = shutil.copytree(sam_checkpoint, tmp_path / "other")
    weights = load_file(folder / "model.safetensors")
    weights["mask_decoder.iou_prediction_head.proj_out.bias"].copy_(torch.tensor([0, 0.5, 0.7, 0.9]))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_answer_is_the_mask_that_the_model_rates_highest(checkpoint: Path, number: int):
    method = SamMethod(str(checkpoint), device="cpu")
    method.set_image(IMAGE, "any")
    answer = method.segment(CLICKS[:number])
    mask, rated = best_mask_by_hand(checkpoint, IMAGE, CLICKS[:number])
    assert (answer.mask.shape, answer.mask.dtype) == ((37, 61), np.bool_)
    assert 0 < mask.sum() < mask.size
    np.testing.assert_array_equal(answer.mask, mask)
    assert answer.confidence == pytest.approx(rated, abs=1e-6)


def test_answers_depend_on_picture_and_clicks_alone(sam_checkpoint: Path):
    method = SamMethod(str(sam_checkpoint), device="cpu")
    before = torch.get_rng_state()
    method.set_image(IMAGE, "any")
    first = method.segment(CLICKS)
    method.segment(CLICKS[:1])
    method.set_image(255 - IMAGE[::-1], "another")
    assert not np.array_equal(method.segment(CLICKS).mask, first.mask)
    method.set_image(IMAGE, "any")
    again = method.segment(CLICKS)
    np.testing.assert_array_equal(again.mask, first.mask)
    assert again.confidence == first.confidence
    assert torch.equal(torch.get_rng_state(), before)


def test_what_cannot_be_loaded_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match=r"no Segment Anything model can be loaded from .*; give a folder with"):
        SamMethod(str(tmp_path), device="cpu")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match=r"which is not installed; install it with: pip install 'rmae\[sam\]'"):
        SamMethod(str(tmp_path), device="cpu")
