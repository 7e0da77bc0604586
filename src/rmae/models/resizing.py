"""A model for images or patches of another size."""

from dataclasses import replace

import torch
from timm.layers.patch_embed import resample_patch_embed
from timm.layers.pos_embed import resample_abs_pos_embed

from rmae.models.assembly import SavedModel, norm_eps_of
from rmae.models.masked_autoencoder import MaskedAutoencoder

_POSITIONS = "encoder.pos_embed"
_PROJECTION = "encoder.patch_embed.proj.weight"


@torch.no_grad()
def resize(
    model: MaskedAutoencoder, *, img_size: int | tuple[int, int] | None = None, patch_size: int | None = None
) -> MaskedAutoencoder:
    """Make a model for images or patches of another size out of this one.

    The encoder's positions are resampled to the new grid (bicubic), that of the class token is kept. The decoders'
    fixed tables are those of the new grid. With another patch size the patch projection is resampled so that a patch
    that is resized gives about the same token; the decoders predict a fixed number of pixels, so they become None.

    Args:
        model: Left as it is.
        img_size: Side, or height and width, in pixels, divisible by the patch size; None = as before, where another
            patch size divides it.
        patch_size: Side of a patch in pixels; None = as before.

    Returns:
        A new model in training mode, float32, on the CPU; with the same sizes, a copy.

    Raises:
        ValueError: The image size is not divisible by the patch size, or leaves no patch to hide or to show.

    Source:
        FlexiViT (arXiv 2212.08013), section 3.4, for the projection, as timm implements it.

    Example:
        >>> from rmae import ModelConfig, build_model
        >>> model = build_model(ModelConfig(size="micro", img_size=64, task="mae"))
        >>> resize(model, img_size=(64, 96)).encoder.pos_embed.shape
        torch.Size([1, 25, 128])
    """
    old = model.config
    new = replace(
        old,
        img_size=old.img_size if img_size is None else img_size,
        patch_size=old.patch_size if patch_size is None else patch_size,
    )
    tensors = {name: tensor.cpu().float() for name, tensor in model.state_dict().items()}
    tensors[_POSITIONS] = resample_abs_pos_embed(
        tensors[_POSITIONS], new_size=list(new.grid), old_size=list(old.grid), num_prefix_tokens=1
    )
    if new.patch_size != old.patch_size:
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith("encoder.")}
        tensors[_PROJECTION] = resample_patch_embed(tensors[_PROJECTION], [new.patch_size, new.patch_size])
    return SavedModel(new, tensors, norm_eps_of(model), model.pixel_mean, model.pixel_std).build()
