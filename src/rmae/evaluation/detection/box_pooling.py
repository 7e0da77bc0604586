"""Sampling what lies in boxes from the map that suits the size of each."""

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

_USUAL_SIDE, _USUAL_STRIDE = 224.0, 16.0  # a box of this side is sampled from the map of this stride


class BoxPooling(nn.Module):
    """Samples boxes from the maps of a pyramid, exact at the centres of pixels.

    torchvision's `MultiScaleRoIAlign` samples half a cell off, and guesses strides from the first pictures it is given.

    Args:
        strides: Pixels of the picture for each cell of each map, each twice the one before.
        size: Side s of the square that a box is sampled to.

    Source:
        Feature Pyramid Networks (arXiv 1612.03144), equation 1, for which map; Mask R-CNN (arXiv 1703.06870), section
        3, for the sampling.
    """

    def __init__(self, *, strides: tuple[float, ...], size: int) -> None:
        super().__init__()
        self._strides = strides
        self._size = (size, size)

    def forward(self, maps: list[Tensor], boxes_xyxy: list[Tensor]) -> Tensor:
        """Sample boxes.

        Args:
            maps: Shape (B, C, h, w) each, as many as strides.
            boxes_xyxy: Shape (n, 4) for each of B pictures, in pixels.

        Returns:
            Shape (N, C, s, s) for all boxes in their order.
        """
        every_box = torch.cat(boxes_xyxy)
        counts = torch.tensor([len(boxes) for boxes in boxes_xyxy], device=every_box.device)
        pictures = torch.repeat_interleave(torch.arange(len(boxes_xyxy), device=every_box.device), counts)
        places = torch.cat([pictures[:, None].to(every_box.dtype), every_box], dim=1)  # (N, 5)
        levels = self.levels(every_box)
        pooled = maps[0].new_zeros(len(places), maps[0].shape[1], *self._size)
        for level, (stride, features) in enumerate(zip(self._strides, maps, strict=True)):
            here = torch.where(levels == level)[0]
            pooled = pooled.index_put(
                (here,), roi_align(features, places[here], self._size, spatial_scale=1 / stride, aligned=True)
            )
        return pooled

    def levels(self, boxes_xyxy: Tensor) -> Tensor:
        """Which map each box is sampled from; shape (N, 4) to (N,) int64."""
        sides = ((boxes_xyxy[:, 2] - boxes_xyxy[:, 0]) * (boxes_xyxy[:, 3] - boxes_xyxy[:, 1])).sqrt()
        # A millionth up, so that a side of just 112 does not depend on how its root was rounded.
        octaves = torch.log2(sides / _USUAL_SIDE * (_USUAL_STRIDE / self._strides[0]) + 1e-6).floor()
        return octaves.clamp(0, len(self._strides) - 1).long()
