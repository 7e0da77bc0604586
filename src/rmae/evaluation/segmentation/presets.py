"""Segmentation in two sizes."""

from rmae.config.encoder import EncoderConfig
from rmae.config.optimizer import OptimizerConfig
from rmae.config.reading import ReadingConfig
from rmae.config.run import RunConfig
from rmae.config.segmentation import SegmentConfig


def small() -> SegmentConfig:
    """For pictures of about 128 pixels and two CPU cores: a few minutes."""
    return SegmentConfig(
        encoder=EncoderConfig(img_size=96, drop_path=0.0, scratch_size="micro", scratch_patch_size=12),
        head_channels=32,
        auxiliary_channels=32,
        head_dropout=0.0,
        scale_range=(0.8, 1.25),
        reading=ReadingConfig(num_workers=1),
        optimizer=OptimizerConfig(
            epochs=None,
            updates=600,
            batch_size=8,
            base_lr=6.4e-2,
            warmup=0.1,
            weight_decay=0.05,
            betas=(0.9, 0.999),
            clip_grad=1.0,
        ),
        run=RunConfig(num_threads=1, log_every=50, checkpoint_every=300),
    )


def paper() -> SegmentConfig:
    """UperNet on ADE20K with ViT-B, for GPUs."""
    return SegmentConfig(run=RunConfig(precision="bf16", compile=True))
