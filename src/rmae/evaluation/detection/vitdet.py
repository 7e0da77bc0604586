"""ViTDet's backbone: a plain Vision Transformer whose blocks attend inside windows, but for a few."""

import math

import torch
from timm.layers.attention import Attention
from timm.layers.drop import DropPath
from timm.layers.mlp import Mlp
from timm.models.vision_transformer import Block, VisionTransformer
from timm.models.vision_transformer_sam import Block as WindowBlock
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from rmae.models.interchange.vitdet import global_blocks


class VitDet(nn.Module):
    """Patches in, one map of features out; there is no class token and no final norm.

    Args:
        projection: The convolution that embeds patches of P x P pixels.
        pos_embed: Positions, shape (1, S + h*w, D): S for tokens that are not used here, then those of a grid.
        grid: Rows h and columns w of that grid; positions are interpolated to the grid of the pictures.
        blocks: From (B, rows, columns, D) to the same.
        recompute: Whether what a block makes is computed again in the backward pass instead of being held.

    Source:
        ViTDet (arXiv 2203.16527), section 3.
    """

    def __init__(
        self, *, projection: nn.Conv2d, pos_embed: Tensor, grid: tuple[int, int], blocks: nn.Sequential, recompute: bool
    ) -> None:
        super().__init__()
        self.patch_embed = projection
        self.pos_embed = nn.Parameter(pos_embed.detach().clone())
        self.blocks = blocks
        self.recompute = recompute
        self._grid = grid

    @property
    def embed_dim(self) -> int:
        """D."""
        return self.pos_embed.shape[-1]

    @property
    def patch_size(self) -> int:
        """P in pixels."""
        return self.patch_embed.kernel_size[0]

    def forward(self, images: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            images: Shape (B, M, H, W) float, normalised; H and W divisible by P.

        Returns:
            Shape (B, D, H/P, W/P).
        """
        tokens = self.patch_embed(images).permute(0, 2, 3, 1)  # (B, H/P, W/P, D)
        tokens = tokens + self._positions((tokens.shape[1], tokens.shape[2]))
        for block in self.blocks:
            if self.recompute and self.training:
                # Dropped paths must be the same ones when they are computed again: the generator's state is kept.
                tokens = checkpoint(block, tokens, use_reentrant=False)
                assert isinstance(tokens, Tensor)
            else:
                tokens = block(tokens)
        return tokens.permute(0, 3, 1, 2)

    def _positions(self, grid: tuple[int, int]) -> Tensor:
        """Positions of a grid, shape (1, rows, columns, D)."""
        rows, columns = self._grid
        positions = self.pos_embed[:, -rows * columns :].unflatten(1, self._grid)  # (1, h, w, D)
        if grid == self._grid:
            return positions
        small = positions.permute(0, 3, 1, 2)
        return functional.interpolate(small, size=grid, mode="bicubic", align_corners=False).permute(0, 2, 3, 1)


def build_vitdet(
    vit: VisionTransformer,
    *,
    image_hw: tuple[int, int],
    window_size: int,
    num_global_blocks: int,
    relative_positions: bool,
    drop_path: float,
    recompute: bool = False,
) -> VitDet:
    """Turn an encoder into ViTDet's backbone.

    Args:
        vit: Of the size it was trained for. Its layers become part of the backbone; its class token is dropped.
        image_hw: Height and width of the pictures in pixels, divisible by the patch size.
        window_size: Side of the windows in patches; 0 = all blocks attend everywhere.
        num_global_blocks: Blocks that attend everywhere, evenly spaced, the last block among them.
        relative_positions: Whether attention learns relative positions too, which start at zero.
        drop_path: Largest probability of leaving out a block for a sample, in [0, 1); it rises linearly from 0.
        recompute: As of `VitDet`.

    Raises:
        ValueError: The encoder's blocks are of another kind than the Vision Transformer's, or the size of the
            pictures is not divisible by its patch size.
    """
    patch_size = vit.patch_embed.patch_size[0]
    rows, columns = image_hw[0] // patch_size, image_hw[1] // patch_size
    if (rows * patch_size, columns * patch_size) != image_hw:
        raise ValueError(
            f"pictures of {image_hw[0]} x {image_hw[1]} pixels cannot be cut into the encoder's patches of "
            f"{patch_size}; choose sides divisible by {patch_size} (--img-size)"
        )
    if vit.pos_embed is None or not isinstance(vit.norm_pre, nn.Identity):
        raise ValueError("detection takes encoders with absolute positions and without a norm before their blocks")
    depth = len(vit.blocks)
    everywhere = global_blocks(depth, num_global_blocks)
    blocks = [
        _window_block(
            block,
            window_size=0 if i in everywhere else window_size,
            grid=(rows, columns),
            relative_positions=relative_positions,
            drop_path=drop_path * i / max(1, depth - 1),
        )
        for i, block in enumerate(vit.blocks)
    ]
    return VitDet(
        projection=vit.patch_embed.proj,
        pos_embed=vit.pos_embed,
        grid=vit.patch_embed.grid_size,
        blocks=nn.Sequential(*blocks),
        recompute=recompute,
    )


class _PictureDropPath(nn.Module):
    """Leaves a path out for all windows of a picture or for none; timm's block would draw for each window.

    Args:
        drop_prob: Probability in (0, 1).
        num_windows: Windows of each picture, picture after picture.
    """

    def __init__(self, drop_prob: float, num_windows: int) -> None:
        super().__init__()
        self._drop = DropPath(drop_prob)
        self._num_windows = num_windows

    def forward(self, windows: Tensor) -> Tensor:
        if not self.training:
            return windows
        kept = self._drop(windows.new_ones(len(windows) // self._num_windows, 1, 1, 1))
        return windows * kept.repeat_interleave(self._num_windows, dim=0)


def _window_block(
    block: nn.Module, *, window_size: int, grid: tuple[int, int], relative_positions: bool, drop_path: float
) -> WindowBlock:
    """A block with the layers of a given one, on maps instead of sequences."""
    if type(block) is not Block or type(block.attn) is not Attention or not isinstance(block.mlp, Mlp):
        raise ValueError(
            f"detection takes encoders of plain Transformer blocks, but this one has a {type(block).__name__}"
        )
    attention = block.attn
    if attention.gate is not None or not isinstance(attention.norm, nn.Identity):
        raise ValueError("detection takes encoders of plain attention, but this one's has a gate or a norm")
    embed_dim = attention.qkv.in_features
    # Made on no device, for all layers but the relative positions are taken from the given block.
    with torch.device("meta"):
        made = WindowBlock(
            embed_dim, attention.num_heads, use_rel_pos=relative_positions, window_size=window_size, input_size=grid
        )
    made.norm1, made.norm2, made.mlp = block.norm1, block.norm2, block.mlp
    made.ls1, made.ls2 = block.ls1, block.ls2
    num_windows = math.prod(-(-side // window_size) for side in grid) if window_size else 1
    made.add_module("drop_path1", _PictureDropPath(drop_path, num_windows) if drop_path > 0 else nn.Identity())
    made.drop_path2 = DropPath(drop_path) if drop_path > 0 else nn.Identity()
    made.attn.qkv, made.attn.proj = attention.qkv, attention.proj
    made.attn.q_norm, made.attn.k_norm = attention.q_norm, attention.k_norm
    if relative_positions:
        for name in ("rel_pos_h", "rel_pos_w"):
            setattr(made.attn, name, nn.Parameter(torch.zeros(getattr(made.attn, name).shape)))
    return made
