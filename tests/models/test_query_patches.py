import pytest
import torch

from rmae.models.query_patches import choose_query_patches


def halves(rows=6, columns=8, *, noise=0.0):
    """Features of a picture whose left and right half are two things."""
    features = torch.zeros(rows, columns, 4)
    features[:, : columns // 2, 0] = features[:, columns // 2 :, 1] = 1.0
    return (features + noise * torch.randn(features.shape, generator=torch.Generator().manual_seed(0))).flatten(0, 1)


def places(chosen, columns):
    return [divmod(patch, columns) for patch in chosen.tolist()]


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_two_things_get_a_patch_each_near_their_middle(noise):
    chosen = places(choose_query_patches(halves(noise=noise), (6, 8), 2), 8)
    assert sorted(column < 4 for _, column in chosen) == [False, True]
    for row, column in chosen:
        assert row in (2, 3)
        assert column in (1, 2, 5, 6)


def test_more_patches_than_things_are_spread_over_them():
    chosen = places(choose_query_patches(halves(), (6, 8), 4), 8)
    assert sum(column < 4 for _, column in chosen) == 2
    assert sum(row < 3 for row, _ in chosen) == 2


@pytest.mark.parametrize("features", [torch.zeros(24, 4), torch.randn(24, 4), torch.full((24, 1), 1e9)])
@pytest.mark.parametrize("number", [1, 5, 23, 24])
def test_each_is_chosen_once_in_raster_order_and_always_the_same(features, number):
    chosen = choose_query_patches(features, (4, 6), number)
    assert len(set(chosen.tolist())) == number
    assert chosen.tolist() == sorted(chosen.tolist())
    assert torch.equal(choose_query_patches(features, (4, 6), number), chosen)


@pytest.mark.parametrize("grid", [(1, 3), (3, 1), (1, 1)])
def test_of_few_patches_all_are_taken(grid):
    number = grid[0] * grid[1]
    assert choose_query_patches(torch.randn(number, 4), grid, 9).tolist() == list(range(number))


def test_scale_does_not_matter():
    features = torch.randn(24, 8, generator=torch.Generator().manual_seed(3))
    expected = choose_query_patches(features, (4, 6), 4)
    assert torch.equal(choose_query_patches(features * 100, (4, 6), 4), expected)
