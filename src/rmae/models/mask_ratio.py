"""A model that hides another share of what it sees."""

from dataclasses import replace

from rmae.models.masked_autoencoder import MaskedAutoencoder


def with_mask_ratio(
    model: MaskedAutoencoder, mask_ratio: float, *, region_mask_ratio: float | None = None
) -> MaskedAutoencoder:
    """Make a model of the same parts that hides another share of the patches.

    Args:
        model: Left as it is.
        mask_ratio: Share of the patches to hide, in (0, 1), with at least one patch visible and one hidden.
        region_mask_ratio: Share of each region map's patches to hide; None = the same as `mask_ratio`.

    Returns:
        A new model. Its encoder, pixel decoder and region branch are those of `model` themselves, not copies.

    Raises:
        ValueError: A ratio is outside its range, or leaves no patch to show or to hide.

    Example:
        >>> from rmae import ModelConfig, build_model
        >>> model = build_model(ModelConfig(size="micro", img_size=64))
        >>> with_mask_ratio(model, 0.5).num_visible, model.num_visible
        (8, 4)
    """
    same_parts = MaskedAutoencoder(
        encoder=model.encoder,
        pixel_decoder=model.pixel_decoder,
        region_branch=model.region_branch,
        config=replace(model.config, mask_ratio=mask_ratio, region_mask_ratio=region_mask_ratio),
    )
    same_parts.pixel_mean, same_parts.pixel_std = model.pixel_mean, model.pixel_std
    same_parts.training = model.training  # of this level alone: the parts keep their own
    return same_parts
