"""Interactive segmentation in two sizes."""

from rmae.config.interactive import InteractiveConfig
from rmae.config.reading import ReadingConfig
from rmae.config.run import RunConfig


def small() -> InteractiveConfig:
    """For pictures of about 128 pixels and two CPU cores: some minutes."""
    return InteractiveConfig(
        max_objects=100,
        felzenszwalb_scale=100.0,
        reading=ReadingConfig(num_workers=0),
        run=RunConfig(num_threads=1),
    )


def paper() -> InteractiveConfig:
    """COCO's pictures for validation, with regions as in the paper's pre-training."""
    return InteractiveConfig()
