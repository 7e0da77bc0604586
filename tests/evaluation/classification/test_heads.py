import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from rmae.config import RunConfig
from rmae.evaluation.classification.features import encode_pooled, freeze, keep_trunk
from rmae.evaluation.classification.heads import Classifier, FeatureNorm, build_probe
from rmae.training.ranks import open_ranks


@pytest.fixture
def ranks():
    with open_ranks(RunConfig(accelerator="cpu")) as opened:
        yield opened


@pytest.fixture
def images():
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def timm_vit(**settings):
    torch.manual_seed(5)
    return VisionTransformer(
        img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=0, **settings
    ).eval()


@pytest.mark.parametrize(
    ("pooling", "settings"),
    [
        ("token", {}),
        ("average", {"global_pool": "token", "reg_tokens": 3}),
        ("average", {"global_pool": "avg", "fc_norm": False, "class_token": False}),
    ],
)
def test_a_picture_is_its_class_token_or_the_mean_of_its_patches(images, pooling, settings):
    vit = timm_vit(**settings)
    tokens = vit.forward_features(images)
    expected = tokens[:, 0] if pooling == "token" else tokens[:, vit.num_prefix_tokens :].mean(dim=1)
    assert tokens.shape[1] == vit.num_prefix_tokens + 16
    torch.testing.assert_close(encode_pooled(keep_trunk(vit, pooling, normed=True), images, pooling), expected)


@pytest.mark.parametrize("pooling", ["token", "average"])
def test_a_norm_behind_the_pooling_stays_there(images, pooling):
    vit = timm_vit(global_pool="avg")
    nn.init.normal_(vit.fc_norm.weight)
    tokens = vit.forward_features(images)
    expected = vit.fc_norm(tokens[:, 0] if pooling == "token" else tokens[:, 1:].mean(dim=1))
    torch.testing.assert_close(encode_pooled(keep_trunk(vit, pooling, normed=True), images, pooling), expected)


def test_without_its_norm_an_encoder_gives_what_its_blocks_give(images):
    vit = timm_vit()
    expected = vit.blocks(vit._pos_embed(vit.patch_embed(images)))[:, 1:].mean(dim=1)
    torch.testing.assert_close(encode_pooled(keep_trunk(vit, "average", normed=False), images, "average"), expected)


@pytest.mark.parametrize("settings", [{}, {"global_pool": "avg"}, {"global_pool": "map"}, {"reg_tokens": 2}], ids=str)
@pytest.mark.parametrize("pooling", ["token", "average"])
def test_every_parameter_of_a_classifier_is_trained(images, settings, pooling):
    model = Classifier(timm_vit(**settings), pooling=pooling, num_classes=3, generator=torch.Generator())
    model.head.weight.data.normal_()
    nn.functional.cross_entropy(model(images), torch.tensor([0, 1, 2, 0])).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_a_class_token_that_is_not_there_is_refused():
    vit = timm_vit(global_pool="avg", class_token=False)
    with pytest.raises(
        ValueError, match=r"^pooling is token, but this encoder has no class token; take --pooling aver"
    ):
        keep_trunk(vit, "token", normed=True)


def test_a_frozen_encoder_is_still(encoder):
    vit = freeze(encoder(), image_hw=(24, 24), pooling="token")
    assert not vit.training
    assert not any(parameter.requires_grad for parameter in vit.parameters())


def test_a_classifier_begins_undecided(encoder, images):
    model = Classifier(encoder().vit, pooling="average", num_classes=5, generator=torch.Generator().manual_seed(0))
    assert model(images).abs().max() < 1e-3
    assert 1e-5 < model.head.weight.std() < 3e-5
    assert not model.head.bias.any()


def test_heads_are_drawn_from_their_generator(ranks):
    before = torch.get_rng_state()
    first, again, other = (
        build_probe(8, 3, ranks=ranks, generator=torch.Generator().manual_seed(seed))[1].weight for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0.005 < first.std() < 0.015
    assert torch.equal(torch.get_rng_state(), before)


def test_features_are_normalised_as_torch_does(ranks):
    ours, theirs = FeatureNorm(6, ranks=ranks), nn.BatchNorm1d(6, affine=False, eps=1e-6)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        features = 3 + 2 * torch.randn(9, 6, generator=generator)
        torch.testing.assert_close(ours(features), theirs(features))
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(ours.get_buffer(name), theirs.get_buffer(name))
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(features[:1]), theirs(features[:1]))


def test_what_is_not_finite_stays_out_of_the_running_statistics(ranks):
    norm = FeatureNorm(2, ranks=ranks)
    norm(torch.tensor([[1.0, float("nan")], [3.0, 2.0]]))
    assert norm.running_mean.tolist() == [pytest.approx(0.2), 0.0]
    assert norm.running_var.tolist() == [pytest.approx(0.9 + 0.1 * 2), 1.0]
    norm(torch.ones(1, 2))  # a single picture has no variance to follow
    assert norm.running_var.isfinite().all()
