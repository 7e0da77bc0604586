"""Detection in two sizes, and either of them for LVIS."""

from dataclasses import replace

from rmae.config.detection import DetectConfig
from rmae.config.encoder import EncoderConfig
from rmae.config.optimizer import OptimizerConfig
from rmae.config.reading import ReadingConfig
from rmae.config.run import RunConfig


def small() -> DetectConfig:
    """For pictures of about 128 pixels and two CPU cores: a few minutes."""
    return DetectConfig(
        encoder=EncoderConfig(img_size=128, drop_path=0.0, layer_decay=1.0, scratch_size="micro", scratch_patch_size=8),
        window_size=0,
        relative_positions=False,
        pyramid_scales=(1.0, 0.5),
        pyramid_channels=64,
        proposal_depth=1,
        box_depth=1,
        box_width=128,
        mask_depth=1,
        anchor_scale=4.0,
        anchors_sampled=64,
        boxes_sampled=32,
        proposals_before_nms=200,
        proposals_before_nms_eval=200,
        proposals_after_nms=64,
        jitter=(0.8, 1.2),
        reading=ReadingConfig(num_workers=1),
        optimizer=OptimizerConfig(
            epochs=None, updates=300, batch_size=8, base_lr=3.2e-2, warmup=0.1, weight_decay=0.05, betas=(0.9, 0.999),
            clip_grad=1.0,
        ),
        run=RunConfig(num_threads=1, log_every=50, checkpoint_every=500),
    )  # fmt: skip


def paper() -> DetectConfig:
    """ViTDet's Mask R-CNN on COCO with ViT-B, for GPUs."""
    return DetectConfig(run=RunConfig(precision="bf16"))


def for_lvis(config: DetectConfig) -> DetectConfig:
    """The same for LVIS: many categories, most of them rare, and more objects a picture.

    Categories are told apart by softmax here, too, where ViTDet has the federated loss.

    Source:
        ViTDet (arXiv 2203.16527), appendix.
    """
    return replace(
        config,
        layout="lvis",
        num_detections=300,
        score_threshold=0.02,
        repeat_threshold=0.001,
        optimizer=replace(config.optimizer, base_lr=2 * config.optimizer.base_lr),
    )
