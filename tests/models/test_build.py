import math

import pytest
import torch

from rmae import ModelConfig, build_model
from rmae.models.build import num_trainable_parameters


def build(seed=0, **changes):
    return build_model(ModelConfig(size="tiny", **changes), generator=torch.Generator().manual_seed(seed))


def test_weights_are_xavier_uniform_and_biases_zero():
    model = build()
    fc1 = model.encoder.blocks[3].mlp.fc1
    bound = math.sqrt(6 / (192 + 768))
    assert fc1.weight.abs().max() <= bound
    assert fc1.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert not fc1.bias.any()


def test_patch_projections_are_initialised_as_linear_layers():
    model = build()
    for projection, fan_in, fan_out in (
        (model.encoder.patch_embed.proj, 3 * 16 * 16, 192),
        (model.region_branch.encoder.patch_embed, 16 * 16, 128),
    ):
        bound = math.sqrt(6 / (fan_in + fan_out))
        assert 0.99 * bound < projection.weight.abs().max() <= bound
        assert not projection.bias.any()


def test_tokens_are_drawn_from_a_normal_distribution():
    model = build()
    for token in (
        model.encoder.cls_token,
        model.pixel_decoder.sequence.mask_token,
        model.region_branch.neck.mask_token,
    ):
        assert token.std().item() == pytest.approx(0.02, rel=0.25)


def test_norms_start_as_the_identity_with_eps_1e_6():
    norms = [m for m in build(region_decoder_depth=2).modules() if isinstance(m, torch.nn.LayerNorm)]
    assert len(norms) > 50
    for norm in norms:
        assert norm.eps == 1e-6
        assert (norm.weight == 1).all()
        assert not norm.bias.any()


def test_only_the_position_table_is_frozen():
    frozen = [name for name, parameter in build().named_parameters() if not parameter.requires_grad]
    assert frozen == ["encoder.pos_embed"]


def test_weights_depend_on_the_generator_alone():
    torch.manual_seed(1)
    first = build(seed=5).state_dict()
    torch.manual_seed(2)
    again, other = build(seed=5).state_dict(), build(seed=6).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["encoder.cls_token"], other["encoder.cls_token"])


@pytest.mark.parametrize(
    ("size", "num_parameters"),
    [("tiny", 5_524_416), ("small", 21_665_664), ("base", 85_798_656), ("large", 303_301_632), ("huge", 630_764_800)],
)
def test_encoders_are_the_usual_vision_transformers(size, num_parameters):
    # timm's counts without head, less the position table, which is frozen here: (1 + L) D.
    patch_size = 14 if size == "huge" else 16
    with torch.device("meta"):
        encoder = build_model(ModelConfig(size=size, patch_size=patch_size, task="mae")).encoder
    num_positions = 1 + (224 // patch_size) ** 2
    assert num_trainable_parameters(encoder) == num_parameters - num_positions * encoder.embed_dim
