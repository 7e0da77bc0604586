import pytest
import timm
import torch
from timm.layers.attention import Attention
from timm.models.vision_transformer import VisionTransformer

from rmae.models.attention import CLASS_TOKEN, attention_maps, patch_features


def small_vit(**more) -> VisionTransformer:
    torch.manual_seed(0)
    size = {"img_size": (16, 24), "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 2, "num_classes": 0}
    return VisionTransformer(**(size | more)).eval()


def as_timm_has_it(vit: VisionTransformer, images: torch.Tensor, layer: int) -> torch.Tensor:
    """All attention of a block, (B, heads, N, N), as timm's own unfused path hands it on to its dropout."""
    attention = vit.blocks[layer].attn
    assert isinstance(attention, Attention)
    attention.fused_attn = False
    seen: list[torch.Tensor] = []
    hook = attention.attn_drop.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        vit.forward_features(images)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize(
    "kind",
    [{}, {"reg_tokens": 2}, {"qk_norm": True}, {"class_token": False, "global_pool": "avg"}],
    ids=["plain", "registers", "qk_norm", "no_class_token"],
)
def test_maps_are_those_that_timm_attends_with(kind):
    vit, images = small_vit(**kind), torch.randn(2, 3, 16, 24)
    ids = torch.tensor([[0, 5, 2], [3, 3, 4]])
    maps = attention_maps(vit, images, layers=(-1, 0), ids_query=ids)
    assert maps.shape == (2, 2, 2, 3, vit.num_prefix_tokens + 6)
    for place, layer in enumerate((2, 0)):
        whole = as_timm_has_it(vit, images, layer)
        for image in range(2):
            expected = whole[image][:, ids[image] + vit.num_prefix_tokens]
            torch.testing.assert_close(maps[image, place], expected)
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 2, 2, 3))


def test_the_class_token_can_ask():
    vit, images = small_vit(), torch.randn(1, 3, 16, 24)
    maps = attention_maps(vit, images, layers=(1,), ids_query=torch.tensor([[CLASS_TOKEN]]))
    torch.testing.assert_close(maps[0, 0, :, 0], as_timm_has_it(vit, images, 1)[0, :, 0])


def test_nothing_stays_behind():
    vit = small_vit()
    attention_maps(vit, torch.randn(1, 3, 16, 24), layers=(0, 2), ids_query=torch.tensor([[1]]))
    assert not any(module._forward_pre_hooks for module in vit.modules())


def test_features_are_those_of_the_patches():
    vit, images = small_vit(reg_tokens=2), torch.randn(2, 3, 16, 24)
    with torch.no_grad():
        expected = vit.forward_features(images)[:, 3:]
    assert torch.equal(patch_features(vit, images), expected)


def test_features_are_normed_where_the_final_norm_is_behind_the_pooling():
    vit, images = small_vit(global_pool="avg"), torch.randn(2, 3, 16, 24)
    features = patch_features(vit, images)
    torch.testing.assert_close(features.mean(-1), torch.zeros(2, 6), atol=1e-6, rtol=0)
    torch.testing.assert_close(features.var(-1, correction=0), torch.ones(2, 6), atol=1e-3, rtol=0)


@pytest.mark.parametrize("layer", [3, -4])
def test_a_layer_that_is_not_there_is_explained(layer):
    with pytest.raises(ValueError, match=f"there is no layer {layer}; the encoder has 3, from 0 to 2"):
        attention_maps(small_vit(), torch.randn(1, 3, 16, 24), layers=(layer,), ids_query=torch.tensor([[0]]))


def test_a_class_token_that_is_not_there_is_explained():
    vit = small_vit(class_token=False, global_pool="avg")
    with pytest.raises(ValueError, match="no class token that could ask"):
        attention_maps(vit, torch.randn(1, 3, 16, 24), layers=(0,), ids_query=torch.tensor([[CLASS_TOKEN]]))


def test_attention_of_another_kind_is_explained():
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0, depth=1, img_size=32, embed_dim=24, num_heads=2)
    vit.blocks[0].attn = torch.nn.Identity()
    with pytest.raises(ValueError, match="attention of the kind Identity"):
        attention_maps(vit.eval(), torch.randn(1, 3, 32, 32), layers=(0,), ids_query=torch.tensor([[0]]))
    assert not any(module._forward_pre_hooks for module in vit.modules())
