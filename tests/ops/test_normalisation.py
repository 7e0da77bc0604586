import pytest
import torch

from rmae.ops.normalisation import Normalise, scale_pixels


def test_bytes_are_normalised():
    pixels = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    normalised = Normalise((0.5, 0.25, 0.0), (0.5, 0.25, 2.0))(pixels)
    assert normalised[:, :, 0, 0].tolist() == [[-1, -1, 0], [1, 3, 0.5]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_the_full_scale_is_that_of_the_type(dtype):
    most = torch.iinfo(dtype).max
    scaled = scale_pixels(torch.tensor([0, most // 5, most], dtype=dtype))
    assert scaled.tolist() == [0, pytest.approx(0.2), 1]
    assert scaled.dtype == torch.float32


def test_the_way_back_ends_where_it_began():
    normalise = Normalise((0.5, 0.25), (0.5, 0.125))
    scaled = torch.tensor([0.25, 1.0]).view(2, 1, 1)
    assert normalise.of_scaled(scaled).flatten().tolist() == [-0.5, 6.0]
    assert torch.equal(normalise.to_scaled(normalise.of_scaled(scaled)), scaled)


def test_its_numbers_are_not_saved_and_as_exact_as_is_asked():
    normalise = Normalise((0.1,), (0.3,), dtype=torch.float64)
    assert not normalise.state_dict()
    assert normalise(torch.full((1, 1, 1), 51, dtype=torch.uint8)).item() == (51 / 255 - 0.1) / 0.3
