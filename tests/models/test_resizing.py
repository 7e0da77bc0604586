import pytest
import torch
from torch.nn import functional

import rmae
from rmae import resize
from rmae.ops.positions import sincos_positions


def smooth_images(channels, height, width):
    """Waves that are the same picture at any size."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    waves = [(3 * x + c).sin() + (2 * y * (c + 1)).cos() for c in range(channels)]
    return torch.stack(waves).unsqueeze(0)


def test_the_same_sizes_give_a_copy(make_model, same_model):
    model = make_model()
    copy = resize(model, img_size=(32, 48), patch_size=8)
    same_model(copy, model)
    same_model(resize(model), model)
    with torch.no_grad():
        copy.encoder.cls_token += 1
    assert not torch.equal(copy.encoder.cls_token, model.encoder.cls_token)


@pytest.mark.parametrize(("img_size", "grid"), [(64, (8, 8)), ((48, 32), (6, 4)), ((16, 80), (2, 10))])
def test_another_image_size(make_model, img_size, grid):
    model = make_model(channels=4)

    resized = resize(model, img_size=img_size).eval()

    assert resized.config.grid == grid
    assert (resized.pixel_mean, resized.pixel_std) == (model.pixel_mean, model.pixel_std)
    positions = resized.encoder.pos_embed
    assert positions.shape == (1, 1 + grid[0] * grid[1], 32)
    assert torch.equal(positions[:, 0], model.encoder.pos_embed[:, 0])  # the class token's
    assert not positions.requires_grad
    before, after = model.state_dict(), resized.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"encoder.pos_embed"}
    for table, width in (
        (resized.pixel_decoder.sequence.pos_embed, 16),
        (resized.region_branch.neck.pos_embed, 16),
    ):
        assert torch.equal(table, sincos_positions(width, grid))
    height, width = resized.config.image_hw
    ids_shuffle = torch.rand(1, grid[0] * grid[1]).argsort(dim=1)
    output = resized(torch.randn(1, 4, height, width), torch.rand(1, 3, height, width) < 0.5, ids_shuffle)
    assert output.pixel_prediction.isfinite().all()
    assert output.region_logits.isfinite().all()
    assert model.config.image_hw == (32, 48)  # left as it was


def test_positions_of_a_finer_grid_lie_between_those_of_the_coarser(make_model):
    """Columns that are linear in their place stay so: what the grid is twice as fine in, doubles."""
    model = make_model(img_size=64)
    columns = torch.arange(8.0).repeat(8)
    with torch.no_grad():
        model.encoder.pos_embed[0, 1:] = columns.unsqueeze(1)
    finer = resize(model, img_size=128).encoder.pos_embed[0, 1:, 0].view(16, 16)
    centre_of_patches = (torch.arange(16.0) + 0.5) / 2 - 0.5
    torch.testing.assert_close(finer[:, 4:12], centre_of_patches[4:12].expand(16, -1), rtol=0, atol=1e-5)


def similarity(a, b):
    return functional.cosine_similarity(a, b, dim=-1).min().item()


@pytest.mark.parametrize(("old", "new"), [((14, 8), (16, 8)), ((16, 8), (8, 8))])
def test_patches_resized_with_their_projection_give_about_the_same_tokens(old, new):
    """From P to P' pixels on a grid of the same size: the picture is enlarged alike."""
    (old_patch, side), (new_patch, _) = old, new
    config = rmae.ModelConfig(img_size=old_patch * side, patch_size=old_patch, size="micro", task="mae")
    model = rmae.build_model(config, generator=torch.Generator().manual_seed(0)).eval()

    resized = resize(model, img_size=new_patch * side, patch_size=new_patch).eval()

    assert resized.encoder.patch_embed.proj.weight.shape == (128, 3, new_patch, new_patch)
    assert torch.equal(resized.encoder.pos_embed, model.encoder.pos_embed)
    before = model.encoder.patch_embed(smooth_images(3, old_patch * side, old_patch * side))
    after = resized.encoder.patch_embed(smooth_images(3, new_patch * side, new_patch * side))
    assert similarity(before, after) > 0.99
    assert (before - after).norm() / before.norm() < 0.1


def test_features_of_smooth_images_change_little_with_their_size():
    config = rmae.ModelConfig(img_size=128, size="micro", task="mae")
    model = rmae.build_model(config, generator=torch.Generator().manual_seed(0)).eval()
    larger = resize(model, img_size=256).eval()
    with torch.no_grad():
        before = rmae.encode(model, smooth_images(3, 128, 128))
        after = rmae.encode(larger, smooth_images(3, 256, 256))
        patches = after[:, 1:].unflatten(1, (16, 16)).movedim(-1, 1)
        pooled = functional.avg_pool2d(patches, 2).flatten(2).mT
    assert similarity(before[:, 0], after[:, 0]) > 0.98
    assert similarity(before[:, 1:].mean(1), pooled.mean(1)) > 0.98


def test_decoders_do_not_outlive_their_patch_size(make_model):
    resized = resize(make_model(img_size=32), patch_size=16)
    assert resized.pixel_decoder is None
    assert resized.region_branch is None
    assert resized.config.grid == (2, 2)
    assert resized.encoder.pos_embed.shape == (1, 5, 32)


def test_what_norms_add_is_kept(make_model):
    model = make_model()
    model.encoder.norm.eps = 1e-3
    assert resize(model, img_size=32).encoder.blocks[0].norm1.eps == 1e-3


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        (dict(img_size=30), "img_size 30 is not divisible by patch_size 8; the nearest that are: 24 or 32"),
        (dict(patch_size=14), "img_size 32 is not divisible by patch_size 14"),
        (dict(img_size=8), "none of the 1 patches is visible"),
        (dict(patch_size=0), "patch_size is 0; it must be at least 1"),
    ],
)
def test_sizes_that_cannot_be_are_refused(make_model, sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        resize(make_model(), **sizes)
