"""ViTDet's backbone against the Vision Transformer that it is made of."""

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from rmae.evaluation.detection.vitdet import build_vitdet


def make_vit(**changed):
    torch.manual_seed(0)
    shape = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 4, "num_heads": 3, "num_classes": 0}
    vit = VisionTransformer(**(shape | changed)).double().eval()
    for parameter in vit.parameters():  # none of them special: no zero bias, no norm of 1
        torch.nn.init.normal_(parameter, std=0.3)
    return vit


def build(vit, **changed):
    settings = {
        "image_hw": (32, 32), "window_size": 0, "num_global_blocks": 4, "relative_positions": True, "drop_path": 0.0,
    }  # fmt: skip
    return build_vitdet(vit, **(settings | changed)).double().eval()


def patch_tokens(vit, images):
    """Patches with their positions, without the class token, shape (B, L, D)."""
    return vit.patch_embed(images) + vit.pos_embed[:, 1:]


@pytest.mark.parametrize("relative_positions", [True, False])
def test_with_no_windows_it_is_the_transformer_on_patches_alone(relative_positions):
    vit, images = make_vit(), torch.randn(2, 3, 32, 32, dtype=torch.float64)
    tokens = patch_tokens(vit, images)
    for block in vit.blocks:
        tokens = block(tokens)
    features = build(vit, relative_positions=relative_positions)(images)
    torch.testing.assert_close(features, tokens.transpose(1, 2).unflatten(2, (4, 4)), rtol=0, atol=1e-10)


def test_windows_are_padded_after_the_norm_and_do_not_see_each_other():
    """A window of 3 on a grid of 4 x 4: four windows, three of them padded with zeros that are keys and values, too."""
    vit, images = make_vit(depth=2), torch.randn(1, 3, 32, 32, dtype=torch.float64)
    block, last = vit.blocks
    x = patch_tokens(vit, images).unflatten(1, (4, 4))
    normed = torch.zeros(1, 6, 6, 24, dtype=torch.float64)
    normed[:, :4, :4] = block.norm1(x)
    attended = torch.empty_like(normed)
    for top in (0, 3):
        for left in (0, 3):
            window = normed[:, top : top + 3, left : left + 3].reshape(1, 9, 24)
            attended[:, top : top + 3, left : left + 3] = block.attn(window).reshape(1, 3, 3, 24)
    x = x + attended[:, :4, :4]
    x = last((x + block.mlp(block.norm2(x))).flatten(1, 2))  # the last block attends everywhere
    features = build(vit, window_size=3, num_global_blocks=1)(images)
    torch.testing.assert_close(features, x.transpose(1, 2).unflatten(2, (4, 4)), rtol=0, atol=1e-10)


def test_relative_positions_begin_with_zeros_and_change_the_features():
    vit, images = make_vit(), torch.randn(1, 3, 32, 32, dtype=torch.float64)
    backbone = build(vit, window_size=2, num_global_blocks=2)
    sizes = {name: parameter.shape for name, parameter in backbone.named_parameters() if "rel_pos_h" in name}
    assert [tuple(size) for size in sizes.values()] == [(3, 8), (7, 8), (3, 8), (7, 8)]  # 2 * side - 1
    assert all(not parameter.any() for name, parameter in backbone.named_parameters() if "rel_pos" in name)
    before = backbone(images)
    with torch.no_grad():
        backbone.blocks[0].attn.rel_pos_w += torch.randn(3, 8, dtype=torch.float64)
    assert not torch.allclose(backbone(images), before)


def test_positions_are_interpolated_to_the_grid_of_the_pictures():
    vit = make_vit(depth=1)
    backbone = build(vit, image_hw=(48, 64), num_global_blocks=1)
    assert backbone.pos_embed.shape == (1, 17, 24)  # with the slot of the class token
    small = vit.pos_embed[:, 1:].transpose(1, 2).unflatten(2, (4, 4))
    large = torch.nn.functional.interpolate(small, size=(6, 8), mode="bicubic")
    images = torch.randn(1, 3, 48, 64, dtype=torch.float64)
    tokens = vit.patch_embed.proj(images) + large
    expected = vit.blocks[0](tokens.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, (6, 8))
    torch.testing.assert_close(backbone(images), expected, rtol=0, atol=1e-10)


def test_positions_without_a_class_token_and_with_registers():
    for changed in ({"class_token": False, "global_pool": "avg"}, {"reg_tokens": 2}, {"no_embed_class": True}):
        vit = make_vit(depth=1, **changed)
        images = torch.randn(1, 3, 32, 32, dtype=torch.float64)
        tokens = vit.patch_embed(images) + vit.pos_embed[:, -16:]
        expected = vit.blocks[0](tokens).transpose(1, 2).unflatten(2, (4, 4))
        torch.testing.assert_close(build(vit, num_global_blocks=1)(images), expected, rtol=0, atol=1e-10)


def test_layer_scale_and_normed_queries_are_kept():
    vit, images = make_vit(init_values=0.1, qk_norm=True), torch.randn(1, 3, 32, 32, dtype=torch.float64)
    tokens = patch_tokens(vit, images)
    for block in vit.blocks:
        tokens = block(tokens)
    expected = tokens.transpose(1, 2).unflatten(2, (4, 4))
    torch.testing.assert_close(build(vit)(images), expected, rtol=0, atol=1e-10)


def test_dropped_paths_grow_with_depth():
    backbone = build(make_vit(), drop_path=0.3)
    for half in ("drop_path1", "drop_path2"):
        rates = [
            sum(getattr(part, "drop_prob", 0.0) for part in getattr(block, half).modules()) for block in backbone.blocks
        ]
        assert rates == pytest.approx([0, 0.1, 0.2, 0.3])


def test_a_path_is_dropped_for_whole_pictures_not_for_windows():
    """Of 64 equal pictures in four windows each there are four kinds: with and without attention, and the MLP."""
    backbone = build(make_vit(), window_size=3, num_global_blocks=1, drop_path=0.5).train()
    block, tokens = backbone.blocks[2], torch.randn(1, 4, 4, 24, dtype=torch.float64)
    assert block.window_size == 3
    torch.manual_seed(0)
    with torch.no_grad():
        made = block(tokens.expand(64, 4, 4, 24))
    assert len(torch.unique(made.flatten(1).round(decimals=6), dim=0)) == 4
    untouched = (made - tokens).abs().flatten(1).amax(dim=1) < 1e-12
    assert untouched.double().mean() == pytest.approx((1 / 3) ** 2, abs=0.1)


def test_computing_again_gives_the_same_gradients_even_where_paths_are_dropped():
    gradients = []
    for recompute in (False, True):
        backbone = build(make_vit(), drop_path=0.5, recompute=recompute).train()
        torch.manual_seed(3)
        backbone(torch.ones(4, 3, 32, 32, dtype=torch.float64)).square().sum().backward()
        gradients.append([parameter.grad for parameter in backbone.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert one is not None
        torch.testing.assert_close(one, other, rtol=0, atol=1e-8)


def test_pictures_that_do_not_fit_and_other_encoders_are_refused():
    with pytest.raises(ValueError, match="pictures of 30 x 32 pixels cannot be cut into the encoder's patches of 8"):
        build(make_vit(), image_hw=(30, 32))
    with pytest.raises(ValueError, match="absolute positions"):
        build(make_vit(pos_embed="none"))
    with pytest.raises(ValueError, match="without a norm before their blocks"):
        build(make_vit(pre_norm=True))
    from timm.models.vision_transformer import ParallelScalingBlock

    with pytest.raises(ValueError, match="plain Transformer blocks, but this one has a ParallelScalingBlock"):
        build(make_vit(block_fn=ParallelScalingBlock))
    with pytest.raises(ValueError, match="has a gate or a norm"):
        build(make_vit(scale_attn_norm=True))
