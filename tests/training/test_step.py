"""What a training step does and, above all, what it does not do."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import rmae
from rmae.config import LossConfig
from rmae.data.order import SampleKey
from rmae.data.samples import PretrainSamples, collate
from rmae.ops.bits import pack_bits
from rmae.training.finite import FiniteGuard
from rmae.training.step import ModelInput, PretrainStep, compute_losses

aten = torch.ops.aten
CHOICES = [
    ({}, {}),
    ({"task": "mae"}, {}),
    ({"task": "rae", "region_decoder_depth": 2}, {"region_loss": "l2"}),
    ({"feeding": "both", "shared_mask": False}, {"balance_area": True}),
    ({"feeding": "none", "region_mask_ratio": 0.5}, {"background_weight": 0.5}),
    ({"region_variant": "batch", "region_decoder_depth": 2}, {"normalize_pixels": False}),
    ({"region_variant": "channel", "masking": "region_biased"}, {"pixel_weight": 0.5}),
]


def batch_of(config, images):
    samples = PretrainSamples(images, data=config.data, model=config.model, seed=0)
    return collate([samples[SampleKey(0, index)] for index in range(4)])


def step_of(config, model):
    return PretrainStep(model, config.loss, pixel_mean=(0.4, 0.4, 0.4), pixel_std=(0.3, 0.3, 0.3))


class Operators(TorchDispatchMode):
    """Notes every operator that runs."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(func)
        return func(*args, **(kwargs or {}))


@pytest.fixture(params=CHOICES, ids=str)
def chosen(request, config, change):
    of_model, of_loss = request.param
    return change(config, model=of_model, loss=of_loss)


def test_a_step_never_asks_for_a_value(chosen, images):
    """Done with tensors that have no values: whatever waited for one would fail."""
    device = torch.device("meta")
    with device:
        model = rmae.build_model(chosen.model)
    guard = FiniteGuard(device, ("loss", "pixel_loss", "region_loss"))

    losses = step_of(chosen, model).to(device)(*batch_of(chosen, images).to(device).tensors())
    losses.total.backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    guard.check(0, torch.stack([*(loss.to(device) for loss in losses), norm]).detach())

    assert losses.total.device == device
    with pytest.raises((RuntimeError, NotImplementedError)):
        losses.total.item()  # this is how waiting would show


def test_all_attention_is_fused(chosen, images):
    model = rmae.build_model(chosen.model, generator=torch.Generator().manual_seed(0))
    with Operators() as operators:
        step_of(chosen, model)(*batch_of(chosen, images).tensors()).total.backward()

    attentions = [m for name, m in model.named_modules() if name.endswith((".attn", "cross_attn"))]
    assert len(attentions) >= 3
    assert operators.seen.count(aten._scaled_dot_product_flash_attention_for_cpu.default) == len(attentions)
    assert operators.seen.count(aten._scaled_dot_product_flash_attention_for_cpu_backward.default) == len(attentions)
    assert not {op for op in operators.seen if "softmax" in str(op)}  # no attention map is made, so that none is kept


def test_only_what_is_hidden_is_finished(config, images, change):
    """Three quarters are hidden, and the other quarter takes no part in the last steps of any decoder."""
    config = change(config, model={"region_variant": "batch"})
    model = rmae.build_model(config.model, generator=torch.Generator().manual_seed(0))
    num_tokens = {}
    watched = {
        "pixel_decoder.prediction": 12,
        "pixel_decoder.sequence.blocks.0.mlp": 12,
        "region_branch.decoder.prediction": 12,
        "region_branch.decoder.maps.blocks.0.mlp": 12,
        "region_branch.neck.blocks.0.mlp": 17,  # the batch variant attends to the whole context
    }
    for name in watched:
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: num_tokens.update({name: output.shape[-2]})
        )
    step_of(config, model)(*batch_of(config, images).tensors())
    assert num_tokens == watched


def test_length_finishes_only_hidden_places_of_the_neck(config, images):
    model = rmae.build_model(config.model, generator=torch.Generator().manual_seed(0))
    seen = []
    model.region_branch.neck.norm.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[1]))
    step_of(config, model)(*batch_of(config, images).tensors())
    assert seen == [12]


def test_regions_with_a_mask_of_their_own_are_hidden_by_it(config, images, change):
    config = change(config, model={"shared_mask": False})
    model = rmae.build_model(config.model, generator=torch.Generator().manual_seed(0))
    inputs = step_of(config, model).model_input(*batch_of(config, images).tensors())
    assert inputs.region_ids_shuffle is not None
    own = compute_losses(model, inputs, config.loss)
    shared = compute_losses(model, ModelInput(*inputs[:3], None), config.loss)
    assert own.pixel == shared.pixel
    assert own.region != shared.region


def plain_step():
    return PretrainStep(torch.nn.Identity(), LossConfig(), pixel_mean=(0.0, 0.5), pixel_std=(1.0, 0.5))


def test_images_are_normalised_and_regions_unpacked():
    images = torch.tensor([[[[0, 255], [51, 102]], [[0, 255], [51, 102]]]], dtype=torch.uint8)
    regions = np.random.default_rng(0).random((1, 2, 2, 2)) < 0.5
    ids_shuffle, region_ids_shuffle = torch.tensor([[1, 0]]).int(), torch.tensor([[0, 1]]).int()
    inputs = plain_step().model_input(images, torch.from_numpy(pack_bits(regions)), ids_shuffle, region_ids_shuffle)
    expected = torch.tensor([[[[0.0, 1.0], [0.2, 0.4]], [[-1.0, 1.0], [-0.6, -0.2]]]])
    torch.testing.assert_close(inputs.images, expected)
    np.testing.assert_array_equal(inputs.regions.numpy(), regions, strict=True)
    assert (inputs.ids_shuffle.dtype, inputs.ids_shuffle.tolist()) == (torch.int64, [[1, 0]])
    assert (inputs.region_ids_shuffle.dtype, inputs.region_ids_shuffle.tolist()) == (torch.int64, [[0, 1]])
    assert images[0, 0, 0, 1] == 255  # the batch is left as it was


def test_sixteen_bits_have_a_scale_of_their_own():
    pixels = torch.tensor([[[[0, 65535, 13107]], [[0, 65535, 13107]]]], dtype=torch.uint16)
    inputs = plain_step().model_input(pixels, None, torch.tensor([[0]]).int(), None)
    torch.testing.assert_close(inputs.images, torch.tensor([[[[0.0, 1.0, 0.2]], [[-1.0, 1.0, -0.6]]]]))
    assert inputs.regions is None
    assert inputs.region_ids_shuffle is None
