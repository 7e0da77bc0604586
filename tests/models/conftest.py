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
def make_model():
    """Makes a small float32 model all of whose weights matter, biases, norms and learned positions included."""

    def make(**changes):
        model = build_model(ModelConfig(**TINY | changes))
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for weight in model.parameters():
                weight += 0.2 * torch.randn(weight.shape, generator=generator)
        channels = model.config.channels
        model.pixel_mean = tuple(0.4 + i / 32 for i in range(channels))
        model.pixel_std = tuple(0.2 + i / 32 for i in range(channels))
        return model.eval()

    return make


def assert_same_model(ours, theirs):
    """Every part, weight and setting is the same, to the bit."""
    assert ours.config == theirs.config
    assert (ours.pixel_mean, ours.pixel_std) == (theirs.pixel_mean, theirs.pixel_std)
    assert ours.encoder.norm.eps == theirs.encoder.norm.eps
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


@pytest.fixture
def same_model():
    return assert_same_model


@pytest.fixture
def golden_folder():
    return Path(__file__).parents[1] / "golden"
