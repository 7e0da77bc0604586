"""One vector for a picture."""

from typing import Literal

from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from rmae.evaluation.encoder import Encoder, fit_encoder

Pooling = Literal["token", "average"]
"""What stands for a picture: the class token, or the mean of its patches."""


def encode_pooled(vit: VisionTransformer, images: Tensor, pooling: Pooling) -> Tensor:
    """Encode pictures, nothing of them hidden.

    Args:
        vit: The encoder, of `keep_trunk`.
        images: Shape (B, 3, H, W) float, normalised.
        pooling: What stands for a picture.

    Returns:
        Shape (B, D).
    """
    tokens = vit.forward_features(images)  # (B, prefix + L, D)
    pooled = tokens[:, 0] if pooling == "token" else tokens[:, vit.num_prefix_tokens :].mean(dim=1)
    return vit.fc_norm(pooled)  # of encoders that have their last norm there; of others it does nothing


def keep_trunk(vit: VisionTransformer, pooling: Pooling, *, normed: bool) -> VisionTransformer:
    """Take off what an encoder has behind its tokens, in place, so that all of its parameters count.

    Args:
        vit: The encoder; it may have a pooling of its own and a classifier.
        pooling: What is to stand for a picture.
        normed: Whether the last norm of the encoder stays.

    Returns:
        The same encoder.

    Raises:
        ValueError: The class token is asked for, but the encoder has none.
    """
    if pooling == "token" and not vit.has_class_token:
        raise ValueError("pooling is token, but this encoder has no class token; take --pooling average")
    if not normed:
        vit.norm, vit.fc_norm = nn.Identity(), nn.Identity()
    vit.attn_pool, vit.head = None, nn.Identity()
    return vit


def freeze(encoder: Encoder, *, image_hw: tuple[int, int], pooling: Pooling) -> VisionTransformer:
    """Make an encoder one that does not change any more.

    Args:
        encoder: Changed in place.
        image_hw: Height and width of the pictures in pixels.
        pooling: What is to stand for a picture.

    Returns:
        In evaluation mode, without gradients.

    Raises:
        ValueError: The pictures do not fit the encoder's patches, or it has no class token to take.
    """
    vit = fit_encoder(encoder.vit, image_hw=image_hw, drop_path=0.0)
    keep_trunk(vit, pooling, normed=True).requires_grad_(False).eval()
    return vit
