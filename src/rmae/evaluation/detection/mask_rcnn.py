"""Mask R-CNN: proposes boxes, names them and draws their masks."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import roi_align

from rmae.evaluation.detection.box_pooling import BoxPooling
from rmae.evaluation.detection.heads import MaskHead, full_precision
from rmae.evaluation.detection.pyramid import SimpleFeaturePyramid
from rmae.evaluation.detection.vitdet import VitDet
from rmae.ops.bits import unpack_bits

LOSSES = ("loss", "rpn_objectness_loss", "rpn_box_loss", "classifier_loss", "box_loss", "mask_loss")
"""What the losses are called, in their order."""

_MASKS_AT_ONCE = 64  # unpacked; 256 MB in float32 at 1024 x 1024
_BOXES_AT_ONCE = 256  # whose masks are drawn for each category; 1 GB in float32 with the 1,203 of LVIS


class Objects(NamedTuple):
    """The n objects of one picture, as training takes them."""

    boxes_xyxy: Tensor
    """Shape (n, 4) float32, in pixels of the picture; each has an area."""
    labels: Tensor
    """Shape (n,) int64 in [1, K]."""
    masks: Tensor
    """Packed by `pack_bits`, shape (n, H, ceil(W / 8)) uint8."""


class DetectionLosses(NamedTuple):
    """Scalars, float32 at least; the total is the sum of the others."""

    total: Tensor
    rpn_objectness: Tensor
    """Cross-entropy, of anchors drawn at random."""
    rpn_box: Tensor
    """Smooth L1 of the offsets of those anchors that are on an object."""
    classifier: Tensor
    """Cross-entropy, of proposals drawn at random."""
    box: Tensor
    """Smooth L1 of the offsets of those proposals that are on an object."""
    mask: Tensor
    """Cross-entropy of the mask's pixels, of the same."""


class Detections(NamedTuple):
    """The n objects found in one picture, the surest first."""

    boxes_xyxy: Tensor
    """Shape (n, 4) float32 at least, in pixels of the picture, inside of it."""
    scores: Tensor
    """Shape (n,) in [0, 1]."""
    labels: Tensor
    """Shape (n,) int64 in [1, K]."""
    masks: Tensor
    """Shape (n, s, s) in [0, 1]: how sure it is that each cell of the box belongs to the object."""


class MaskRcnn(nn.Module):
    """A detector of built parts; those that torchvision has are torchvision's.

    Unlike torchvision's own Mask R-CNN it neither resizes nor normalises pictures, since the data do, and takes masks
    as bits. Unlike detectron2's, with which ViTDet was made, its boxes have a smooth L1 loss instead of an L1, and the
    targets of its masks are shares of cells instead of 0 or 1.

    Args:
        encoder: From pictures to one map.
        pyramid: From that map to those on which everything else looks.
        proposals: Proposes boxes.
        boxes: Names boxes and corrects them; without its own part for masks.
        mask_pool: Samples what lies in a box.
        mask_head: Draws masks.
    """

    def __init__(
        self,
        *,
        encoder: VitDet,
        pyramid: SimpleFeaturePyramid,
        proposals: RegionProposalNetwork,
        boxes: RoIHeads,
        mask_pool: BoxPooling,
        mask_head: MaskHead,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.pyramid = pyramid
        self.proposals = proposals
        self.boxes = boxes
        self.mask_pool = mask_pool
        self.mask_head = mask_head

    def forward(self, images: Tensor, objects: list[Objects]) -> DetectionLosses:
        """Compare what is found in pictures with what is there; in training mode.

        Which anchors and proposals count is drawn from torch's global generator.

        Args:
            images: Shape (B, M, H, W) float, normalised.
            objects: Of each picture, perhaps none.
        """
        assert self.training
        sizes = [(images.shape[-2], images.shape[-1])] * len(images)
        targets = [{"boxes": each.boxes_xyxy.to(images.dtype), "labels": each.labels} for each in objects]
        maps = self._maps(images)
        proposals, found = self.proposals(ImageList(images, sizes), _by_name(maps), targets)
        boxes, matched, labels, offsets = self.boxes.select_training_samples(proposals, targets)
        logits, predicted = self._look_into(maps, boxes)
        classifier, box = fastrcnn_loss(logits, predicted, labels, offsets)
        on_object = [torch.where(each > 0)[0] for each in labels]
        mask = self._mask_loss(
            maps,
            [each[kept] for each, kept in zip(boxes, on_object, strict=True)],
            [each[kept] for each, kept in zip(labels, on_object, strict=True)],
            [each[kept] for each, kept in zip(matched, on_object, strict=True)],
            [each.masks for each in objects],
            width=images.shape[-1],
        )
        parts = (found["loss_objectness"], found["loss_rpn_box_reg"], classifier, box, mask)
        return DetectionLosses(torch.stack(parts).sum(), *parts)

    @torch.inference_mode()
    def detect(self, images: Tensor, sizes_hw: list[tuple[int, int]]) -> list[Detections]:
        """Find objects; in evaluation mode.

        Args:
            images: Shape (B, M, H, W) float, normalised, each picture in the upper left corner of its frame.
            sizes_hw: Height and width of the picture in each frame.
        """
        assert not self.training
        maps = self._maps(images)
        proposals, _ = self.proposals(ImageList(images, sizes_hw), _by_name(maps))
        logits, predicted = self._look_into(maps, proposals)
        boxes, scores, labels = self.boxes.postprocess_detections(logits, predicted, proposals, sizes_hw)
        pooled, every_label = self.mask_pool(maps[:-1], boxes), torch.cat(labels)
        parts = zip(pooled.split(_BOXES_AT_ONCE), every_label.split(_BOXES_AT_ONCE), strict=True)
        own = torch.cat([_of_labels(self.mask_head(part), of_part) for part, of_part in parts])
        masks = own.sigmoid().split([len(each) for each in labels])
        return [Detections(*found) for found in zip(boxes, scores, labels, masks, strict=True)]

    def _maps(self, images: Tensor) -> list[Tensor]:
        # Anchors are as exact as the numbers of the maps are.
        return [full_precision(each) for each in self.pyramid(self.encoder(images))]

    def _look_into(self, maps: list[Tensor], boxes: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits and offsets of boxes; the last map serves the proposals alone."""
        pooled = self.boxes.box_roi_pool(maps[:-1], boxes)
        return self.boxes.box_predictor(self.boxes.box_head(pooled))

    def _mask_loss(
        self,
        maps: list[Tensor],
        boxes: list[Tensor],
        labels: list[Tensor],
        matched: list[Tensor],
        masks: list[Tensor],
        *,
        width: int,
    ) -> Tensor:
        """Cross-entropy of the masks drawn in boxes that are on objects, given which object each is on."""
        logits = self.mask_head(self.mask_pool(maps[:-1], boxes))  # (N, 1 + K, s, s)
        if not len(logits):
            return logits.sum()  # 0, and yet every weight takes part in the backward pass
        side = logits.shape[-1]
        sampled = [sample_masks(*each, width=width, side=side) for each in zip(masks, matched, boxes, strict=True)]
        return functional.binary_cross_entropy_with_logits(_of_labels(logits, torch.cat(labels)), torch.cat(sampled))


def _of_labels(logits: Tensor, labels: Tensor) -> Tensor:
    """Of each box (N, 1 + K, s, s) the mask of its own category, shape (N, s, s)."""
    return logits[torch.arange(len(labels), device=labels.device), labels]


def _by_name(maps: list[Tensor]) -> dict[str, Tensor]:
    return {str(level): each for level, each in enumerate(maps)}


def sample_masks(packed: Tensor, matched: Tensor, boxes_xyxy: Tensor, *, width: int, side: int) -> Tensor:
    """Sample the masks of objects in boxes that are on them.

    Args:
        packed: Masks of n objects by `pack_bits`, shape (n, H, ceil(W / 8)) uint8.
        matched: Which object each of N boxes is on, shape (N,) int64.
        boxes_xyxy: Shape (N, 4), in pixels.
        width: W in pixels.
        side: Cells of the result along each side of a box.

    Returns:
        Share of each cell that belongs to the object, shape (N, side, side), of the boxes' dtype.
    """
    sampled = boxes_xyxy.new_zeros(len(boxes_xyxy), side, side)
    for start in range(0, len(packed), _MASKS_AT_ONCE):
        masks = unpack_bits(packed[start : start + _MASKS_AT_ONCE], width).to(boxes_xyxy.dtype)
        here = torch.where((matched >= start) & (matched < start + _MASKS_AT_ONCE))[0]
        places = torch.cat([(matched[here] - start).to(boxes_xyxy.dtype)[:, None], boxes_xyxy[here]], dim=1)
        sampled[here] = roi_align(masks[:, None], places, (side, side), aligned=True)[:, 0]
    return sampled
