import pytest
import torch

from rmae.ops.patches import gather_patches, patchify, unpatchify


def test_patchify_is_in_raster_order_with_the_channel_fastest():
    maps = torch.arange(2 * 4 * 6).reshape(2, 4, 6)  # two channels, patches of 2: a grid of 2 x 3

    patches = patchify(maps, 2)

    assert patches.shape == (6, 8)
    # The first patch holds pixels (0, 0), (0, 1), (1, 0), (1, 1); the second channel is 24 higher.
    assert patches[0].tolist() == [0, 24, 1, 25, 6, 30, 7, 31]
    assert patches[1, 0] == 2  # one patch to the right
    assert patches[3, 0] == 12  # one row of patches below


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 1, 8, 12), (2, 5, 4, 16, 4)])
def test_unpatchify_undoes_patchify(shape):
    maps = torch.rand(shape)
    grid = (shape[-2] // 4, shape[-1] // 4)
    assert torch.equal(unpatchify(patchify(maps, 4), 4, grid), maps)


def test_gather_picks_the_same_patches_for_every_region():
    patches = torch.arange(2 * 3 * 4).reshape(2, 3, 4, 1)  # B = 2, R = 3, L = 4

    picked = gather_patches(patches, torch.tensor([[3, 0], [1, 1]])).squeeze(-1)

    assert picked[0].tolist() == [[3, 0], [7, 4], [11, 8]]
    assert picked[1].tolist() == [[13, 13], [17, 17], [21, 21]]
