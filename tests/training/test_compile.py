"""The forward half of a step compiles as a whole, once, and computes the same."""

import copy

import pytest
import torch

from rmae import ModelConfig, build_model
from rmae.bench.step import example_batch
from rmae.config import LossConfig
from rmae.training.step import PretrainStep

SMALLEST = dict(
    img_size=32, patch_size=8, embed_dim=16, depth=1, num_heads=2, decoder_embed_dim=16, decoder_depth=1,
    decoder_num_heads=2, region_embed_dim=16, region_encoder_num_heads=2, region_decoder_num_heads=2, num_regions=3,
)  # fmt: skip
CHOICES = [
    ({"task": "mae"}, {}),
    ({"task": "rae", "region_decoder_depth": 2}, {"region_loss": "l2"}),
    ({"region_variant": "length", "region_decoder_depth": 2}, {"background_weight": 0.5}),
    ({"region_variant": "batch", "region_mask_ratio": 0.5}, {"normalize_pixels": False}),
    ({"region_variant": "channel", "feeding": "none", "shared_mask": False}, {"balance_area": True}),
    ({"feeding": "both", "region_encoder_depth": 2}, {}),
]
VARIANTS = [
    (choice, precision, bool((number + is_second) % 2))
    for number, choice in enumerate(CHOICES)
    for is_second, precision in enumerate(("float32", "bf16"))
]
"""Choice, precision, and whether activations are checkpointed: half of all there are, with every pair of them."""


@pytest.fixture(autouse=True)
def no_graphs_of_other_tests():
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()


def step_of(of_model, of_loss, *, checkpoint_activations):
    model = build_model(ModelConfig(**SMALLEST | of_model), generator=torch.Generator().manual_seed(0))
    model.set_grad_checkpointing(checkpoint_activations)
    return PretrainStep(model, LossConfig(**of_loss), pixel_mean=(0.4,) * 3, pixel_std=(0.3,) * 3)


def batches_of(step):
    """Two batches of one shape with other contents."""
    first = example_batch(step.model.config, batch_size=2, device=torch.device("cpu"))
    second = first._replace(images=255 - first.images, ids_shuffle=first.ids_shuffle.flip(1))
    return first.tensors(), second.tensors()


def losses_and_gradients(step, batch, parameters, precision):
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        losses = step(*batch)
    gradients = torch.autograd.grad(losses.total, parameters)
    return [*(loss.detach() for loss in losses), *gradients]


def assert_compiled_is_plain(step, backend, precision, *, tolerance):
    """Compile, run on two batches, the second without compiling again, and compare with the plain module."""
    parameters = [p for p in step.parameters() if p.requires_grad]
    plain = copy.copy(step)
    expected = [losses_and_gradients(plain, batch, parameters, precision) for batch in batches_of(step)]
    compiled = torch.compile(step, fullgraph=True, backend=backend)
    first, second = batches_of(step)
    found = [losses_and_gradients(compiled, first, parameters, precision)]
    with torch.compiler.set_stance("fail_on_recompile"):
        found.append(losses_and_gradients(compiled, second, parameters, precision))
    for of_batch, expected_of_batch in zip(found, expected, strict=True):
        for ours, wanted in zip(of_batch, expected_of_batch, strict=True):
            assert ours.dtype == torch.float32
            assert (ours - wanted).abs().max() <= tolerance * wanted.abs().max()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize(("choice", "precision", "checkpoint_activations"), VARIANTS, ids=str)
@pytest.mark.slow
def test_any_choice_compiles_as_a_whole_and_once(choice, precision, checkpoint_activations):
    step = step_of(*choice, checkpoint_activations=checkpoint_activations)
    assert_compiled_is_plain(step, "aot_eager", precision, tolerance=1e-4 if precision == "float32" else 0.05)


@pytest.mark.parametrize("checkpoint_activations", [False, True], ids=["plain", "checkpoint"])
def test_a_step_compiles_as_a_whole_and_once(checkpoint_activations):
    step = step_of({"shared_mask": False}, {}, checkpoint_activations=checkpoint_activations)
    assert_compiled_is_plain(step, "aot_eager", "bf16" if checkpoint_activations else "float32", tolerance=1e-2)


@pytest.mark.slow
def test_a_graph_break_would_be_noticed():
    step = step_of({"task": "mae"}, {}, checkpoint_activations=False)
    step.model.encoder.norm.register_forward_hook(lambda module, inputs, output: torch._dynamo.graph_break())
    with pytest.raises(torch._dynamo.exc.Unsupported):
        assert_compiled_is_plain(step, "aot_eager", "float32", tolerance=1e-4)


@pytest.mark.slow
def test_inductor_computes_the_same():
    assert_compiled_is_plain(step_of({}, {}, checkpoint_activations=False), "inductor", "float32", tolerance=1e-3)
