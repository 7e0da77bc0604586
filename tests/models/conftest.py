from pathlib import Path

import pytest
import torch

from rmae import ModelConfig, build_model

TINY = dict(
    img_size=(32, 48), patch_size=8, embed_dim=32, depth=2, num_heads=2, decoder_embed_dim=16, decoder_depth=1,
    decoder_num_heads=2, region_embed_dim=16, region_encoder_num_heads=2, region_decoder_num_heads=2,
    num_regions=3,
)  # fmt: skip


class Case:
    """A small rectangular model in float64 with one batch for it."""

    def __init__(self, **changes):
        self.config = ModelConfig(**TINY | changes)
        generator = torch.Generator().manual_seed(0)
        self.model = build_model(self.config, generator=generator).double()
        height, width = self.config.image_hw
        rows, columns = self.config.grid
        self.images = torch.randn(2, self.config.channels, height, width, generator=generator, dtype=torch.float64)
        self.regions = torch.rand(2, 3, height, width, generator=generator) < 0.4
        noise = torch.rand(2, rows * columns, generator=generator)
        self.ids_shuffle = noise.argsort(dim=1)

    def run(self, images=None, regions=None, **options):
        return self.model(
            self.images if images is None else images,
            (self.regions if regions is None else regions) if self.config.has_region_branch else None,
            self.ids_shuffle,
            **options,
        )

    def patches(self, ids):
        """The pixels of some patches, (B, 1, H, W) bool."""
        chosen = torch.zeros(2, self.ids_shuffle.shape[1], dtype=torch.bool).scatter(1, ids, True)
        size, grid = self.config.patch_size, self.config.grid
        return chosen.view(2, 1, *grid).repeat_interleave(size, 2).repeat_interleave(size, 3)


@pytest.fixture
def make_case():
    return Case


@pytest.fixture
def golden_folder():
    return Path(__file__).parents[1] / "golden"
