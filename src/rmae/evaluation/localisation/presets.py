"""Localisation in two sizes."""

from rmae.config.encoder import EncoderConfig
from rmae.config.localisation import LocaliseConfig
from rmae.config.reading import ReadingConfig
from rmae.config.run import RunConfig


def small() -> LocaliseConfig:
    """For pictures of about 128 pixels and two CPU cores: seconds to minutes."""
    return LocaliseConfig(
        encoder=EncoderConfig(img_size=96, drop_path=0.0, scratch_size="micro", scratch_patch_size=12),
        reading=ReadingConfig(num_workers=1),
        run=RunConfig(num_threads=1),
    )


def paper() -> LocaliseConfig:
    """At 224 pixels, as encoders were pre-trained, for GPUs; in float32, which is fast enough where nothing is trained.

    The paper shows such maps as pictures and scores none, so the protocol is ours.
    """
    return LocaliseConfig(eval_batch_size=64)
