import pytest
import torch

from rmae.evaluation.detection.pyramid import SimpleFeaturePyramid


@pytest.mark.parametrize(
    ("scales", "sides"),
    [((4.0, 2.0, 1.0, 0.5), [24, 12, 6, 3, 2]), ((1.0, 0.5), [6, 3, 2]), ((2.0,), [12, 6])],
)
def test_maps_have_their_resolutions(scales, sides):
    maps = SimpleFeaturePyramid(in_channels=16, channels=8, scales=scales)(torch.randn(2, 16, 6, 6))
    assert [tuple(each.shape) for each in maps] == [(2, 8, side, side) for side in sides]


def test_the_last_map_is_every_other_cell_of_the_one_before():
    *_, coarsest, last = SimpleFeaturePyramid(in_channels=8, channels=4, scales=(1.0,))(torch.randn(1, 8, 5, 7))
    assert torch.equal(last, coarsest[:, :, ::2, ::2])


def test_a_level_is_projected_and_normed_by_channels():
    """By hand: 1 x 1 convolution, norm over channels, 3 x 3 convolution, norm."""
    pyramid = SimpleFeaturePyramid(in_channels=4, channels=4, scales=(1.0,)).double()
    features = torch.randn(1, 4, 3, 3, dtype=torch.float64)
    narrow, _, wide, _ = pyramid.levels[0]

    def normed(x):
        return (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, unbiased=False) + 1e-6).sqrt()

    projected = normed(torch.einsum("oi,bihw->bohw", narrow.weight[..., 0, 0], features))
    around = torch.nn.functional.unfold(projected, 3, padding=1)  # (1, 4 * 9, 9)
    expected = normed((wide.weight.flatten(1) @ around).unflatten(2, (3, 3)))
    torch.testing.assert_close(pyramid(features)[0], expected, rtol=0, atol=1e-10)


def test_the_finest_map_is_made_in_two_steps_with_a_norm_between():
    kinds = [
        type(layer).__name__ for layer in SimpleFeaturePyramid(in_channels=16, channels=8, scales=(4.0,)).levels[0]
    ]
    assert kinds[:4] == ["ConvTranspose2d", "LayerNorm2d", "GELU", "ConvTranspose2d"]


def test_unknown_scales_are_refused():
    with pytest.raises(ValueError, match=r"a map of the pyramid has the scale 3; it must be 4, 2, 1 or 0\.5"):
        SimpleFeaturePyramid(in_channels=4, channels=4, scales=(3,))
