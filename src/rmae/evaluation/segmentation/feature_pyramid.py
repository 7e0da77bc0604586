"""Maps of four sizes from a Vision Transformer, whose own maps are all of one size."""

from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from rmae.evaluation.segmentation.batch_norm import SharedBatchNorm

NUM_LEVELS = 4
_DEPTHS = ((1, 3), (1, 2), (2, 3), (1, 1))  # shares of the blocks after which features are taken


def feature_blocks(depth: int) -> tuple[int, ...]:
    """Which blocks give features: those at a third, a half, two thirds and all of the depth.

    Args:
        depth: Number of blocks, at least 1.

    Returns:
        Four numbers of blocks from 0, ascending: 3, 5, 7 and 11 of 12. Of few blocks some come twice.
    """
    rounded = ((2 * depth * share + whole) // (2 * whole) for share, whole in _DEPTHS)
    return tuple(max(1, block) - 1 for block in rounded)


class FeaturePyramid(nn.Module):
    """Features of four depths at 4, 2, 1 and 1/2 times the resolution of the patches, finest first.

    Args:
        embed_dim: Width D of the encoder.

    Source:
        The neck of BEiT's and MAE's recipes for UperNet: the earlier the features, the finer the map.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.scale_4 = nn.Sequential(
            nn.ConvTranspose2d(embed_dim, embed_dim, kernel_size=2, stride=2),
            SharedBatchNorm(embed_dim),
            nn.GELU(),
            nn.ConvTranspose2d(embed_dim, embed_dim, kernel_size=2, stride=2),
        )
        self.scale_2 = nn.ConvTranspose2d(embed_dim, embed_dim, kernel_size=2, stride=2)
        # A grid of a single row or column stays as it is.
        self.scale_half = nn.MaxPool2d(kernel_size=2, ceil_mode=True)

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Resize features.

        Args:
            features: Of four depths, each of shape (B, D, h, w).

        Returns:
            Shapes (B, D, 4 h, 4 w), (B, D, 2 h, 2 w), (B, D, h, w) and (B, D, ceil(h / 2), ceil(w / 2)).
        """
        first, second, third, last = features
        return self.scale_4(first), self.scale_2(second), third, self.scale_half(last)


def encode(encoder: VisionTransformer, images: Tensor) -> tuple[Tensor, ...]:
    """Run an encoder and take its features at four depths, before its final norm and without its class token.

    Args:
        encoder: Any timm Vision Transformer.
        images: Shape (B, M, H, W) float, normalised, of the encoder's size.

    Returns:
        Four maps of shape (B, D, h, w), where (h, w) is the grid of patches.
    """
    blocks = feature_blocks(len(encoder.blocks))
    taken = sorted(set(blocks))  # timm gives each block once
    features = encoder.forward_intermediates(images, indices=taken, intermediates_only=True)
    assert isinstance(features, list)
    return tuple(features[taken.index(block)] for block in blocks)
