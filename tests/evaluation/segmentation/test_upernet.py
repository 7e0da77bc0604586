import timm
import torch
from timm.models.vision_transformer import VisionTransformer

from rmae.evaluation.encoder import fit_encoder
from rmae.evaluation.segmentation.feature_pyramid import FeaturePyramid, encode, feature_blocks
from rmae.evaluation.segmentation.network import SegmentationNetwork, build_network
from rmae.evaluation.segmentation.upernet import PoolingPyramid, UperHead


def vit(depth: int = 4, *, image_hw: tuple[int, int] = (16, 24), patch_size: int = 4, **more: object):
    return VisionTransformer(
        img_size=image_hw, patch_size=patch_size, embed_dim=16, depth=depth, num_heads=2, num_classes=0, **more
    )


def network(encoder: VisionTransformer, seed: int = 0) -> SegmentationNetwork:
    return build_network(
        encoder,
        num_classes=5,
        head_channels=8,
        auxiliary_channels=6,
        dropout=0.1,
        generator=torch.Generator().manual_seed(seed),
    )


def test_features_are_taken_at_four_depths():
    assert feature_blocks(12) == (3, 5, 7, 11)
    assert feature_blocks(24) == (7, 11, 15, 23)
    assert feature_blocks(4) == (0, 1, 2, 3)
    assert feature_blocks(2) == (0, 0, 0, 1)
    assert feature_blocks(1) == (0, 0, 0, 0)
    for depth in range(6, 50):
        blocks = feature_blocks(depth)
        assert sorted(set(blocks)) == list(blocks)
        assert blocks[-1] == depth - 1


def test_features_are_what_the_blocks_give_without_the_class_token():
    encoder = vit(5).eval()
    images = torch.randn(2, 3, 16, 24)
    outputs = []
    for block in encoder.blocks:
        block.register_forward_hook(lambda module, args, output: outputs.append(output))
    with torch.no_grad():
        features = encode(encoder, images)
    for feature, block in zip(features, feature_blocks(5), strict=True):
        tokens = outputs[block][:, 1:]  # (B, L, D) in raster order
        torch.testing.assert_close(feature.flatten(2).transpose(1, 2), tokens)
        assert feature.shape == (2, 16, 4, 6)


def test_the_pyramid_has_four_resolutions():
    features = tuple(torch.randn(2, 16, 4, 7) for _ in range(4))
    maps = FeaturePyramid(16)(features)
    assert [tuple(x.shape[-2:]) for x in maps] == [(16, 28), (8, 14), (4, 7), (2, 4)]
    assert maps[2] is features[2]
    expected = features[3][:, :, :2, :2].amax(dim=(2, 3))
    torch.testing.assert_close(maps[3][:, :, 0, 0], expected)


def test_pooled_context_reaches_every_place():
    pooling = PoolingPyramid(16, 16).eval()
    x = torch.rand(1, 16, 12, 12, requires_grad=True)
    pooling(x)[0, :, 0, 0].sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=1) > 0).all()


def test_logits_have_the_size_of_the_picture():
    for encoder, hw in (
        (vit(), (16, 24)),
        (vit(1, image_hw=(14, 7), patch_size=7), (14, 7)),
        (vit(2, class_token=False, global_pool="avg"), (16, 24)),
        (vit(3, reg_tokens=2), (16, 24)),
        (vit(3, image_hw=(8, 8), patch_size=8), (8, 8)),  # a single patch
    ):
        model = network(encoder)
        output = model(torch.randn(2, 3, *hw))
        assert output.logits.shape == output.auxiliary_logits.shape == (2, 5, *hw)
        model.eval()
        images = torch.randn(2, 3, *hw)
        with torch.no_grad():
            torch.testing.assert_close(model.predict(images), model(images).logits)


def test_a_pretrained_shape_of_timm_fits_other_pictures():
    encoder = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    assert isinstance(encoder, VisionTransformer)
    model = network(fit_encoder(encoder, image_hw=(48, 32), drop_path=0.1))
    assert model(torch.randn(2, 3, 48, 32)).logits.shape == (2, 5, 48, 32)


def test_a_batch_of_one_trains_although_pooled_maps_are_single_pixels():
    model = network(vit(image_hw=(8, 8)))
    output = model(torch.randn(1, 3, 8, 8))
    (output.logits.sum() + output.auxiliary_logits.sum()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


def test_every_parameter_gets_a_gradient():
    """Several processes would wait for one that does not."""
    for encoder in (vit(4), vit(4, class_token=False, global_pool="avg"), vit(1), vit(4, pre_norm=True)):
        model = network(encoder)
        output = model(torch.randn(2, 3, 16, 24))
        (output.logits.square().mean() + output.auxiliary_logits.square().mean()).backward()
        assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_coarse_levels_tell_finer_ones():
    head = UperHead(in_channels=16, num_levels=3, channels=16, num_classes=2, dropout=0.0).eval()
    maps = tuple(torch.rand(1, 16, side, side, requires_grad=True) for side in (12, 6, 3))
    head(maps)[0, :, 0, 0].sum().backward()
    for x in maps:
        assert x.grad is not None
        assert (x.grad != 0).any()
    assert (maps[2].grad.abs().sum(dim=1) > 0).all()  # everywhere in the coarsest
    assert (maps[0].grad.abs().sum(dim=1) == 0).any()  # but nearby alone in the finest


def test_weights_come_from_the_generator_and_the_global_one_is_left_alone():
    before = torch.get_rng_state()
    encoder = vit()
    torch.set_rng_state(before)
    models = [network(encoder, seed) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    first, same, other = (dict(model.head.named_parameters()) for model in models)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["fuse.convolution.weight"], other["fuse.convolution.weight"])
