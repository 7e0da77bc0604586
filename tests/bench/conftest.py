import pytest

from rmae import ModelConfig


@pytest.fixture
def make_tiny():
    """Makes small models; changes say how they differ from a plain one."""

    def make(**changes):
        tiny = dict(
            img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, decoder_embed_dim=16, decoder_depth=1,
            decoder_num_heads=2, region_embed_dim=16, region_encoder_num_heads=2, region_decoder_num_heads=2,
            num_regions=3,
        )  # fmt: skip
        return ModelConfig(**tiny | changes)

    return make
