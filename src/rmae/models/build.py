"""Putting a model together from its configuration."""

from collections.abc import Collection
from typing import assert_never

import torch
from torch import nn

from rmae.config import ModelConfig
from rmae.models.encoder import build_encoder
from rmae.models.length_decoder import LengthDecoder
from rmae.models.map_decoder import BatchDecoder, ChannelDecoder, MapDecoder
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.models.pixel_decoder import PixelDecoder
from rmae.models.region_branch import RegionBranch
from rmae.models.region_encoder import RegionEncoder
from rmae.models.sequence_decoder import BlindSequenceDecoder, SequenceDecoder


def build_model(config: ModelConfig, *, generator: torch.Generator | None = None) -> MaskedAutoencoder:
    """Build a model with the method's initialisation.

    Args:
        config: What to build.
        generator: Where the random weights come from, on the CPU; None takes torch's global generator.

    Returns:
        The model in training mode, float32, on torch's default device (`meta` works: `with torch.device("meta")`).

    Example:
        >>> model = build_model(ModelConfig(size="tiny", task="mae"))
        >>> model.encoder.embed_dim
        192
    """
    model = compose_model(config)
    initialise(model, generator=generator)
    return model


def compose_model(config: ModelConfig, *, without: Collection[str] = ()) -> MaskedAutoencoder:
    """Compose a model whose weights are still to be loaded or initialised, `without` some of its parts."""
    embed_dim, depth, num_heads = config.encoder_shape
    pixels, regions = "pixel_decoder" not in without, "region_branch" not in without
    # Layers draw weights of their own when they are made; the global generator is left as it was.
    with torch.random.fork_rng(devices=[]):
        return MaskedAutoencoder(
            encoder=build_encoder(
                img_size=config.image_hw,
                patch_size=config.patch_size,
                channels=config.channels,
                embed_dim=embed_dim,
                depth=depth,
                num_heads=num_heads,
                mlp_ratio=config.mlp_ratio,
            ),
            pixel_decoder=_build_pixel_decoder(config) if config.has_pixel_decoder and pixels else None,
            region_branch=_build_region_branch(config) if config.has_region_branch and regions else None,
            config=config,
        )


def _build_pixel_decoder(config: ModelConfig) -> PixelDecoder:
    sequence = SequenceDecoder(
        in_dim=config.encoder_shape.embed_dim,
        embed_dim=config.decoder_embed_dim,
        depth=config.decoder_depth,
        num_heads=config.decoder_num_heads,
        mlp_ratio=config.mlp_ratio,
        grid=config.grid,
    )
    return PixelDecoder(
        sequence=sequence,
        embed_dim=config.decoder_embed_dim,
        patch_values=config.patch_size**2 * config.channels,
        query_dim=config.region_embed_dim if config.regions_feed_pixels else None,
    )


def _build_region_branch(config: ModelConfig) -> RegionBranch:
    return RegionBranch(
        encoder=RegionEncoder(
            patch_size=config.patch_size,
            channels=config.num_regions if config.region_variant == "channel" else 1,
            embed_dim=config.region_embed_dim,
            depth=config.region_encoder_depth,
            num_heads=config.region_encoder_num_heads,
            mlp_ratio=config.mlp_ratio,
            grid=config.grid,
            pools=config.region_variant == "length",
        ),
        neck=_build_neck(config),
        decoder=_build_region_decoder(config),
    )


def _build_neck(config: ModelConfig) -> SequenceDecoder | BlindSequenceDecoder:
    if not config.pixels_feed_regions:
        return BlindSequenceDecoder(
            embed_dim=config.region_embed_dim,
            depth=config.neck_depth,
            num_heads=config.region_decoder_num_heads,
            mlp_ratio=config.mlp_ratio,
            grid=config.grid,
        )
    return SequenceDecoder(
        in_dim=config.encoder_shape.embed_dim,
        embed_dim=config.region_embed_dim,
        depth=config.neck_depth,
        num_heads=config.region_decoder_num_heads,
        mlp_ratio=config.mlp_ratio,
        grid=config.grid,
    )


def _build_region_decoder(config: ModelConfig) -> LengthDecoder | BatchDecoder | ChannelDecoder:
    embed_dim, patch_size = config.region_embed_dim, config.patch_size
    match config.region_variant:
        case "length":
            return LengthDecoder(
                embed_dim=embed_dim,
                depth=config.region_decoder_depth,
                num_heads=config.region_decoder_num_heads,
                mlp_ratio=config.mlp_ratio,
                patch_size=patch_size,
            )
        case "batch":
            return BatchDecoder(maps=_build_map_decoder(config), embed_dim=embed_dim, patch_size=patch_size)
        case "channel":
            return ChannelDecoder(
                maps=_build_map_decoder(config),
                embed_dim=embed_dim,
                patch_size=patch_size,
                num_regions=config.num_regions,
            )
        case _:
            assert_never(config.region_variant)


def _build_map_decoder(config: ModelConfig) -> MapDecoder:
    return MapDecoder(
        embed_dim=config.region_embed_dim,
        depth=config.region_decoder_depth,
        num_heads=config.region_decoder_num_heads,
        mlp_ratio=config.mlp_ratio,
        grid=config.grid,
    )


def initialise(model: nn.Module, *, generator: torch.Generator | None = None) -> None:
    """Initialise all trainable weights as the method does.

    Linear weights are xavier-uniform and biases 0; patch projections count as linear layers; layer norms start as the
    identity; class and mask tokens are drawn from N(0, 0.02).

    Args:
        model: Changed in place. Frozen parameters (the positions) stay as they are.
        generator: Where the randomness comes from; None takes torch's global generator.

    Source:
        R-MAE keeps the initialisation of facebookresearch/mae.
    """
    for module in model.modules():
        match module:
            case nn.Linear() | nn.Conv2d():
                nn.init.xavier_uniform_(module.weight.flatten(1), generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            case nn.LayerNorm():
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
            case _:
                pass
    for name, parameter in model.named_parameters():
        if name.endswith(("cls_token", "mask_token")):
            nn.init.normal_(parameter, std=0.02, generator=generator)


def num_trainable_parameters(model: nn.Module) -> int:
    """Number of trainable parameters; works on the `meta` device."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
