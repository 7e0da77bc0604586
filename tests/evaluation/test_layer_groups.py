import pytest
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from rmae.evaluation.layer_groups import layer_groups


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = VisionTransformer(img_size=32, patch_size=16, embed_dim=8, depth=2, num_heads=2, num_classes=0)
        self.head = nn.Linear(8, 3)


def settings(model, **changed):
    """Of each parameter its weight decay and the scale of its rate, by name."""
    groups = layer_groups(
        model, **{"encoder": "encoder.", "depth": 2, "weight_decay": 0.05, "layer_decay": 0.5} | changed
    )
    found = {id(p): (group["weight_decay"], group["lr_scale"]) for group in groups for p in group["params"]}
    return {name: found[id(p)] for name, p in model.named_parameters() if id(p) in found}


def test_rates_fall_towards_the_input_and_small_things_are_not_decayed():
    found = settings(Classifier())
    assert found["head.weight"] == (0.05, 1)
    assert found["head.bias"] == (0, 1)
    assert found["encoder.norm.weight"] == (0, 1)
    assert found["encoder.blocks.1.attn.qkv.weight"] == (0.05, 0.5)
    assert found["encoder.blocks.0.mlp.fc1.bias"] == (0, 0.25)
    assert found["encoder.patch_embed.proj.weight"] == (0.05, 0.125)
    assert found["encoder.pos_embed"] == found["encoder.cls_token"] == (0, 0.125)


def test_every_trainable_parameter_is_in_one_group_and_frozen_ones_in_none():
    model = Classifier()
    assert settings(model).keys() == dict(model.named_parameters()).keys()
    model.encoder.pos_embed.requires_grad_(False)
    assert "encoder.pos_embed" not in settings(model)
    groups = layer_groups(model, encoder="encoder.", depth=2, weight_decay=0.05, layer_decay=0.5)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters())) - 1


def test_without_layer_decay_all_learn_alike():
    assert {scale for _, scale in settings(Classifier(), layer_decay=1.0).values()} == {1}


@pytest.mark.parametrize("rel_pos", ["encoder.blocks.0.attn.rel_pos_h"])
def test_relative_positions_are_not_decayed(rel_pos):
    model = Classifier()
    model.encoder.blocks[0].attn.rel_pos_h = nn.Parameter(model.head.weight.detach().clone())
    assert settings(model)[rel_pos] == (0, 0.25)
