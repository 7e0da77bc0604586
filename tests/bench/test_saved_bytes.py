"""What autograd holds: counted by hand, and set against attention that is not fused."""

import pytest
import torch
from torch.nn import functional

from rmae import ModelConfig, build_model
from rmae.bench.saved_bytes import WrittenOutAttention, saved_bytes
from rmae.bench.step import example_batch
from rmae.config import LossConfig
from rmae.training.step import PretrainStep

NUM_BYTES = 4000
"""Of a tensor of 1000 float32."""


@pytest.fixture
def inputs():
    return torch.ones(1000, requires_grad=True)


def test_a_result_that_the_gradient_needs_counts(inputs):
    assert saved_bytes(lambda: inputs.exp()) == NUM_BYTES
    assert saved_bytes(lambda: inputs.sin()) == NUM_BYTES
    assert saved_bytes(lambda: inputs + 1) == 0


def test_what_is_there_anyway_does_not_count(inputs):
    weight = torch.ones(1000)
    assert saved_bytes(lambda: inputs * weight, besides=[weight]) == 0
    assert saved_bytes(lambda: inputs * weight) == NUM_BYTES
    assert saved_bytes(lambda: (inputs * weight[:10].sum()).sin(), besides=[inputs, weight[5:]]) == NUM_BYTES + 4


def test_a_storage_counts_once_and_whole(inputs):
    def call():
        made = inputs * 2
        return made.sin() + made.cos() + made[:10].sin().sum()

    assert saved_bytes(call) == NUM_BYTES


def test_nothing_counts_where_no_gradient_is_wanted(inputs):
    with torch.no_grad():
        assert saved_bytes(lambda: inputs.exp()) == 0
    assert saved_bytes(lambda: inputs.detach().exp()) == 0


def test_what_is_freed_before_the_end_counts_too(inputs):
    def call():
        for factor in (1, 2):
            (inputs * factor).exp()

    assert saved_bytes(call) == 2 * NUM_BYTES


def test_the_backward_pass_still_works(inputs):
    totals = []
    saved_bytes(lambda: totals.append(inputs.exp().sum()))
    totals[0].backward()
    torch.testing.assert_close(inputs.grad, torch.full((1000,), torch.e))


def test_tensors_without_data_are_counted():
    inputs = torch.ones(1000, requires_grad=True, device="meta")
    assert saved_bytes(lambda: inputs.exp().sigmoid()) == 2 * NUM_BYTES


def test_written_out_attention_is_the_same_function():
    q, k, v = (torch.randn(2, 4, n, 8, dtype=torch.float64, requires_grad=True) for n in (5, 7, 7))
    fused = functional.scaled_dot_product_attention(q, k, v)
    with WrittenOutAttention():
        written_out = functional.scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(written_out, fused, rtol=1e-12, atol=1e-12)
    assert written_out.grad_fn.name() != fused.grad_fn.name()


def test_written_out_attention_holds_its_softmax():
    q, k, v = (torch.randn(2, 4, n, 8, requires_grad=True) for n in (50, 70, 70))

    def call():
        return functional.scaled_dot_product_attention(q, k, v)

    fused = saved_bytes(call, besides=[q, k, v])
    with WrittenOutAttention():
        written_out = saved_bytes(call, besides=[q, k, v])
    softmax, scaled_queries = 4 * 2 * 4 * 50 * 70, 4 * 2 * 4 * 50 * 8
    assert softmax + scaled_queries <= written_out
    assert fused < 0.3 * written_out


def bytes_of_two_images(precision):
    """Of a step of ViT-B/16 with eight regions, with fused attention and with written out one: what two images add."""
    model = build_model(ModelConfig(), generator=torch.Generator().manual_seed(0))
    step = PretrainStep(model, LossConfig(), pixel_mean=(0.5,) * 3, pixel_std=(0.5,) * 3)

    def held(batch_size):
        batch = example_batch(model.config, batch_size=batch_size, device=torch.device("cpu"))
        known = [*model.parameters(), *model.buffers(), *(value for value in batch.tensors() if value is not None)]
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return saved_bytes(lambda: step(*batch.tensors()), besides=known)

    fused = held(4) - held(2)
    with WrittenOutAttention():
        return fused, held(4) - held(2)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_step_holds_at_most_four_fifths_of_what_attention_written_out_would(precision):
    fused, written_out = bytes_of_two_images(precision)
    assert fused <= 0.8 * written_out
