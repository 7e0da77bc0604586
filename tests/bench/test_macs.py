"""What a step costs by count: figures that can be checked by hand, and how they grow."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from rmae import ModelConfig, build_model
from rmae.bench.macs import count_macs, example_inputs
from rmae.config import LossConfig
from rmae.training.step import compute_losses

VIT_B = ModelConfig()
FULL_MAE = 9_781e6
"""Of an MAE that embeds all patches and predicts all patches: what the method's figures are shares of."""


def branch_without_neck(**changes):
    macs = count_macs(replace(VIT_B, **changes))
    return macs.region_branch - macs.neck


def counter_on_a_cpu() -> FlopCounterMode:
    """One that knows the fused attention of CPUs, which torch 2.11's own does not."""
    on_a_cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return FlopCounterMode(display=False, custom_mapping={on_a_cpu: flops_of_attention})


def flops_of_attention(query: torch.Size, key: torch.Size, value: torch.Size, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


def test_the_counter_counts_fused_attention_on_a_cpu():
    q, k, v = torch.randn(2, 4, 10, 8), torch.randn(2, 4, 20, 8), torch.randn(2, 4, 20, 8)
    with counter_on_a_cpu() as counter:
        functional.scaled_dot_product_attention(q, k, v)
    assert counter.get_total_flops() == 2 * 2 * (2 * 4 * 10 * 20 * 8)  # two products, two operations a MAC
    assert list(counter.get_flop_counts()["Global"]) == [torch.ops.aten._scaled_dot_product_flash_attention_for_cpu]


def test_tensors_without_data_are_counted_as_those_on_a_cpu(make_tiny):
    model = make_tiny(region_variant="batch")
    inputs = example_inputs(model, batch_size=1, device=torch.device("cpu"))
    with counter_on_a_cpu() as counter:
        compute_losses(build_model(model), inputs, LossConfig())
    assert count_macs(model).forward == counter.get_total_flops() // 2


def test_a_model_small_enough_to_count_by_hand():
    """MAE of 4 patches of 2 x 2 x 1 values, 1 of them visible; widths 4 and 8; one block each."""
    model = ModelConfig(
        task="mae", img_size=4, patch_size=2, channels=1, embed_dim=4, depth=1, num_heads=1, decoder_embed_dim=8,
        decoder_depth=1, decoder_num_heads=1,
    )  # fmt: skip
    embedding = 1 * 4 * 4  # patches, values, width
    block = 2 * (12 * 4 * 4) + 2 * 2 * 2 * 4  # tokens x (qkv 3, projection 1, MLP 8) + both products of the attention
    to_decoder = 2 * 4 * 8
    keys_and_values = 5 * 2 * 8 * 8
    of_the_hidden = 3 * (10 * 8 * 8) + 2 * 3 * 5 * 8  # query, projection, MLP; attention of 3 tokens to 5
    prediction = 3 * 8 * 4
    assert count_macs(model).forward == embedding + block + to_decoder + keys_and_values + of_the_hidden + prediction


def test_mae_costs_less_than_one_that_embeds_and_predicts_all():
    with torch.device("meta"):
        model = build_model(replace(VIT_B, task="mae"))
    inputs = example_inputs(model.config, batch_size=1, device=torch.device("meta"))
    with FlopCounterMode(display=False) as counter:
        model(inputs.images, None, inputs.ids_shuffle, predict_visible=True)
    embedding_the_hidden = 147 * 768 * 768
    finishing_the_class_token = 10 * 512 * 512 + 2 * 197 * 512  # in the last block of the decoder
    full = counter.get_total_flops() / 2 + embedding_the_hidden + finishing_the_class_token
    assert full == pytest.approx(FULL_MAE, rel=1e-4)
    assert count_macs(model.config).forward < 0.98 * FULL_MAE


def test_the_region_branch_is_small_beside_mae():
    assert count_macs(VIT_B).region_branch <= 0.024 * FULL_MAE
    assert count_macs(replace(VIT_B, neck_depth=8)).region_branch <= 0.06 * FULL_MAE


def test_backward_costs_twice_as_much_as_forward(make_tiny):
    macs = count_macs(make_tiny())
    # No gradient is needed of images and regions, so that of the two products behind an embedding one is left out.
    assert 1.8 < macs.backward / macs.forward < 2


def test_length_hardly_grows_with_the_number_of_regions():
    one, sixteen = (count_macs(replace(VIT_B, num_regions=number)).forward for number in (1, 16))
    assert one < sixteen <= 1.2 * one


@pytest.mark.slow
def test_batch_grows_in_proportion_to_the_number_of_regions():
    one = branch_without_neck(region_variant="batch", num_regions=1)
    for number in (2, 4, 8, 16, 64):
        many = branch_without_neck(region_variant="batch", num_regions=number)
        assert many == pytest.approx(number * one, rel=0.1)


@pytest.mark.slow
def test_channel_is_the_cheapest_for_many_regions_and_length_for_few():
    for number, cheapest_first in ((4, ["length", "channel", "batch"]), (9, ["channel", "length", "batch"])):
        costs = {v: count_macs(replace(VIT_B, region_variant=v, num_regions=number)).forward for v in cheapest_first}
        assert sorted(costs, key=costs.__getitem__) == cheapest_first


@pytest.mark.slow
def test_blind_regions_share_one_neck():
    """It sees nothing of the images, so that it is computed once for a batch."""
    alone, together = (count_macs(replace(VIT_B, feeding="none"), batch_size=number) for number in (1, 8))
    assert together.neck == alone.neck // 8 > 0
    assert together.region_branch - together.neck == alone.region_branch - alone.neck
    fed = count_macs(VIT_B, batch_size=8)
    assert fed == count_macs(VIT_B)
    assert together.forward < fed.forward
