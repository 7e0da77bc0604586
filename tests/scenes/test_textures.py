import numpy as np
import pytest

from rmae.scenes.textures import colour_texture, draw_texture


@pytest.mark.parametrize("size_hw", [(32, 32), (48, 96), (200, 64)])
def test_textures_lie_between_the_two_colours(size_hw: tuple[int, int]):
    textures = [draw_texture(size_hw, np.random.default_rng(seed)) for seed in range(40)]
    for texture in textures:
        assert (texture.shape, texture.dtype) == (size_hw, np.float32)
        assert texture.min() >= 0
        assert texture.max() <= 1
        assert np.ptp(texture) > 0.2
        neighbours = np.stack([texture[:-1].ravel(), texture[1:].ravel()])
        assert np.corrcoef(neighbours)[0, 1] > 0.3  # no noise from pixel to pixel
    assert len({texture.tobytes() for texture in textures}) == 40


def test_a_texture_is_coloured_from_the_first_colour_to_the_second():
    palette = np.array([[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]], dtype=np.float32)
    coloured = colour_texture(np.array([[0.0, 0.25, 1.0]], dtype=np.float32), palette)
    np.testing.assert_array_equal(coloured, [[[0, 0.5, 1], [0.25, 0.5, 0.75], [1, 0.5, 0]]])
