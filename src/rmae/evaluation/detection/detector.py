"""Putting the detector together from an encoder and its configuration."""

import numpy as np
from timm.models.vision_transformer import VisionTransformer
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork

from rmae.config.detection import DetectConfig
from rmae.data.seeding import seeded_globals
from rmae.evaluation.detection.box_pooling import BoxPooling
from rmae.evaluation.detection.heads import BoxHead, BoxPredictor, MaskHead, ProposalHead
from rmae.evaluation.detection.mask_rcnn import MaskRcnn
from rmae.evaluation.detection.pyramid import SimpleFeaturePyramid
from rmae.evaluation.detection.vitdet import build_vitdet

_ASPECT_RATIOS = (0.5, 1.0, 2.0)  # height over width of the anchors
_BOX_CELLS, _MASK_CELLS = 7, 14  # sides to which boxes are sampled to name them, and to draw masks of twice that side


def build_detector(
    vit: VisionTransformer, config: DetectConfig, *, num_classes: int, generator: np.random.Generator
) -> MaskRcnn:
    """Build a detector around an encoder.

    Args:
        vit: The encoder, of the size it was trained for; its layers become part of the detector.
        config: What to build.
        num_classes: Number of categories K, at least 1.
        generator: Where the weights of everything but the encoder are drawn from.

    Returns:
        The detector in training mode, on the CPU.

    Raises:
        ValueError: The encoder is of a kind that ViTDet cannot be made of, or the size of the pictures does not suit.
    """
    encoder = build_vitdet(
        vit,
        image_hw=config.encoder.image_hw,
        window_size=config.window_size,
        num_global_blocks=config.num_global_blocks,
        relative_positions=config.relative_positions,
        drop_path=config.encoder.drop_path,
        recompute=config.run.checkpoint_activations,
    )
    _check_pyramid(encoder.patch_size, config)
    strides = tuple(encoder.patch_size / scale for scale in config.pyramid_scales)
    channels = config.pyramid_channels
    with seeded_globals(generator):
        return MaskRcnn(
            encoder=encoder,
            pyramid=SimpleFeaturePyramid(
                in_channels=encoder.embed_dim, channels=channels, scales=config.pyramid_scales
            ),
            proposals=_build_proposals(config, strides),
            boxes=_build_boxes(config, strides, num_classes),
            mask_pool=BoxPooling(strides=strides, size=_MASK_CELLS),
            mask_head=MaskHead(channels=channels, depth=config.mask_depth, num_classes=num_classes),
        ).train()


def _build_proposals(config: DetectConfig, strides: tuple[float, ...]) -> RegionProposalNetwork:
    sizes = tuple((round(config.anchor_scale * stride),) for stride in (*strides, 2 * strides[-1]))
    top = {"training": config.proposals_before_nms, "testing": config.proposals_before_nms_eval}
    kept = {"training": config.proposals_after_nms, "testing": config.proposals_after_nms}
    return RegionProposalNetwork(
        AnchorGenerator(sizes, (_ASPECT_RATIOS,) * len(sizes)),
        ProposalHead(channels=config.pyramid_channels, depth=config.proposal_depth, num_anchors=len(_ASPECT_RATIOS)),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=config.anchors_sampled,
        positive_fraction=0.5,
        pre_nms_top_n=top,
        post_nms_top_n=kept,
        nms_thresh=0.7,
    )


def _build_boxes(config: DetectConfig, strides: tuple[float, ...], num_classes: int) -> RoIHeads:
    return RoIHeads(
        BoxPooling(strides=strides, size=_BOX_CELLS),
        BoxHead(channels=config.pyramid_channels, depth=config.box_depth, size=_BOX_CELLS, width=config.box_width),
        BoxPredictor(width=config.box_width, num_classes=num_classes),
        fg_iou_thresh=0.5,
        bg_iou_thresh=0.5,
        batch_size_per_image=config.boxes_sampled,
        positive_fraction=0.25,
        bbox_reg_weights=(10.0, 10.0, 5.0, 5.0),
        score_thresh=config.score_threshold,
        nms_thresh=config.nms_threshold,
        detections_per_img=config.num_detections,
    )


def _check_pyramid(patch_size: int, config: DetectConfig) -> None:
    """Every map must have whole cells, and the finest a stride of whole pixels."""
    height, width = config.encoder.image_hw
    step = patch_size * 4 if config.pyramid_scales[-1] == 0.5 else patch_size * 2
    if height % step or width % step:
        raise ValueError(
            f"pictures of {height} x {width} pixels do not suit the pyramid, whose coarsest map has a cell every "
            f"{step} pixels; choose sides divisible by {step} (--img-size)"
        )
    if patch_size % config.pyramid_scales[0]:
        raise ValueError(
            f"patches of {patch_size} pixels cannot be split into the {config.pyramid_scales[0]:g} cells a side of the "
            "finest map; begin pyramid_scales with a smaller number (--pyramid-scales)"
        )
