"""Arithmetic pinned by tensors that the published reference implementation computed."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import rmae
from rmae.models.reference import rename_reference
from rmae.ops.positions import sincos_positions

GOLDEN = Path(__file__).parents[1] / "golden"


class Golden:
    """One golden file: its tensors, the model made from its weights, and what that model computes."""

    def __init__(self, name):
        with safe_open(GOLDEN / f"{name}_reference_tiny.safetensors", framework="pt") as file:
            self.tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            self.grad_norms = json.loads(file.metadata()["grad_norms"])
        self.weights = {k.removeprefix("weights."): v for k, v in self.tensors.items() if k.startswith("weights.")}
        self.model = rmae.from_reference(
            self.weights, img_size=64, num_heads=3, decoder_num_heads=4, region_encoder_heads=4, region_decoder_heads=4
        )
        self.images = self.tensors["in.image"]
        self.regions = self.tensors["in.region"].bool()
        self.ids_shuffle = self.tensors["in.shuffle_ids"]

    def run(self, predict_visible):
        return self.model(self.images, self.regions, self.ids_shuffle, predict_visible=predict_visible)

    def losses(self, predict_visible):
        return rmae.pretrain_losses(self.run(predict_visible), self.images, self.regions)


@pytest.fixture(params=["rmae", "rae"])
def golden(request):
    return Golden(request.param)


def assert_agrees(ours, golden):
    assert ours.shape == golden.shape
    assert (ours - golden).abs().max() <= 1e-5 * golden.abs().max()


def test_predictions_of_all_patches(golden):
    output = golden.run(predict_visible=True)
    assert_agrees(output.region_logits, golden.tensors["out.pred_region"])
    assert torch.equal(output.pixel_hidden.float(), golden.tensors["out.mask"])
    if "out.pred" in golden.tensors:
        assert_agrees(output.pixel_prediction, golden.tensors["out.pred"])
    else:
        assert output.pixel_prediction is None


@pytest.mark.parametrize("predict_visible", [False, True])
def test_losses(golden, predict_visible):
    losses = golden.losses(predict_visible)
    assert_agrees(losses.total.reshape(1), golden.tensors["out.loss"])
    assert_agrees(losses.pixel.reshape(1), golden.tensors["out.mae_loss"])
    assert_agrees(losses.region.reshape(1), golden.tensors["out.region_loss"])


@pytest.mark.parametrize("predict_visible", [False, True])
def test_gradient_norms(golden, predict_visible):
    golden.losses(predict_visible).total.backward()
    ours = {name: p.grad.norm().item() for name, p in golden.model.named_parameters() if p.requires_grad}
    assert ours == pytest.approx(rename_reference(golden.grad_norms), rel=1e-4)


def test_position_tables(golden):
    tables = {name: table for name, table in golden.weights.items() if name.endswith("pos_embed")}
    assert {"pos_embed", "region_pos_embed", "region_cross_pos_embed"} <= tables.keys()
    for name, table in tables.items():
        torch.testing.assert_close(sincos_positions(table.shape[-1], (8, 8)), table, rtol=0, atol=1e-6, msg=name)
