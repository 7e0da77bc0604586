"""Computing activations again: the same numbers from fewer bytes."""

import itertools

import pytest
import torch

import rmae
from rmae.bench.saved_bytes import saved_bytes
from rmae.models.recomputation import run

CHOICES = [
    (variant, feeding)
    for variant, feeding in itertools.product(
        ["length", "batch", "channel"], ["pixel_to_region", "region_to_pixel", "both", "none"]
    )
    if variant == "length" or feeding in ("pixel_to_region", "none")
]


def losses(case):
    regions = case.regions if case.config.has_region_branch else None
    return rmae.pretrain_losses(case.run(), case.images, regions)


def losses_and_gradients(case):
    case.model.zero_grad()
    of_case = losses(case)
    of_case.total.backward()
    return of_case, {name: p.grad for name, p in case.model.named_parameters() if p.grad is not None}


def bytes_held(case):
    model = case.model
    known = [*model.parameters(), *model.buffers(), case.images, case.regions, case.ids_shuffle]
    return saved_bytes(lambda: losses(case), besides=known)


def assert_same(case):
    plain, plain_gradients = losses_and_gradients(case)
    case.model.set_grad_checkpointing()
    again, gradients = losses_and_gradients(case)
    assert again == plain
    assert gradients.keys() == plain_gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, plain_gradients[name], rtol=1e-10, atol=1e-14, msg=name)


@pytest.mark.parametrize(("variant", "feeding"), CHOICES)
@pytest.mark.parametrize("depth", [1, 2])
def test_losses_and_gradients_are_the_same(make_case, variant, feeding, depth):
    assert_same(make_case(region_variant=variant, feeding=feeding, region_decoder_depth=depth, neck_depth=depth))


@pytest.mark.parametrize("task", ["mae", "rae"])
def test_losses_and_gradients_of_one_branch_are_the_same(make_case, task):
    assert_same(make_case(task=task, decoder_depth=2))


@pytest.mark.parametrize(("variant", "feeding"), CHOICES)
def test_far_less_is_held(make_case, variant, feeding):
    case = make_case(region_variant=variant, feeding=feeding, depth=4, decoder_depth=4)
    plain = bytes_held(case)
    case.model.set_grad_checkpointing()
    assert bytes_held(case) < 0.5 * plain
    case.model.set_grad_checkpointing(False)
    assert bytes_held(case) == plain


@pytest.mark.parametrize(("changes", "parts"), [
    ({}, {"encoder", "pixel_decoder.sequence", "region_branch.encoder", "region_branch.neck", "region_branch.decoder"}),
    ({"task": "mae"}, {"encoder", "pixel_decoder.sequence"}),
    ({"feeding": "none", "region_variant": "batch"}, {
        "encoder", "pixel_decoder.sequence", "region_branch.encoder", "region_branch.neck",
        "region_branch.decoder.maps",
    }),
])  # fmt: skip
def test_every_part_with_blocks_takes_part(make_case, changes, parts):
    model = make_case(**changes).model
    model.set_grad_checkpointing()
    assert {name for name, m in model.named_modules() if getattr(m, "grad_checkpointing", False)} == parts
    with_blocks = {name.partition(".blocks.0")[0] for name, _ in model.named_modules() if ".blocks.0" in name}
    assert with_blocks <= parts


def test_names_of_weights_stay(make_case):
    case = make_case()
    names = list(case.model.state_dict())
    case.model.set_grad_checkpointing()
    assert list(case.model.state_dict()) == names


def test_no_data_are_needed(make_case):
    with torch.device("meta"):
        model = rmae.build_model(make_case().config)
        images, regions = torch.empty(2, 3, 32, 48), torch.empty(2, 3, 32, 48, dtype=torch.bool)
        ids_shuffle = torch.empty(2, 24, dtype=torch.int64)
    model.set_grad_checkpointing()
    rmae.pretrain_losses(model(images, regions, ids_shuffle), images, regions).total.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_random_generators_are_left_alone(make_case):
    case = make_case()
    case.model.set_grad_checkpointing()
    before = torch.get_rng_state()
    losses_and_gradients(case)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_product_at_the_end_is_not_made_again():
    layer, calls = torch.nn.Linear(3, 3), []

    def function(x):
        calls.append("activation")
        activated = x.exp()
        projected = layer(activated)
        calls.append("product")
        return projected

    run(function, torch.ones(2, 3, requires_grad=True), recompute=True).sum().backward()
    assert calls == ["activation", "product", "activation"]


def test_an_mlp_holds_its_hidden_units_once_in_training(make_case):
    case = make_case(task="mae", depth=1)
    mlp = case.model.encoder.blocks[0].mlp
    tokens = torch.randn(2, 5, 32, dtype=torch.float64, requires_grad=True)
    num_bytes = {}
    for training in (True, False):
        mlp.train(training)
        num_bytes[training] = saved_bytes(lambda: mlp(tokens), besides=[tokens, *mlp.parameters()])
    hidden = 8 * 2 * 5 * 128
    assert num_bytes == {True: hidden, False: 2 * hidden}
