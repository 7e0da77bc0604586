"""Predicting pictures of any size with a trained network."""

from typing import NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from rmae.config.segmentation import SegmentConfig
from rmae.data.crops import Crop, crop_image
from rmae.evaluation.segmentation.crops import padding_colour
from rmae.evaluation.segmentation.data import LabelledImages
from rmae.evaluation.segmentation.sliding_window import classify, slide
from rmae.evaluation.segmentation.step import SegmentStep

_MAX_RATIO = 4  # of the longer side to the short side asked for, so that a strip stays of a size that fits in memory


class TestPicture(NamedTuple):
    """A picture as the network is to see it, and its labels as they are."""

    image: np.ndarray
    """Shape (3, h, w) uint8, resized."""
    labels: np.ndarray
    """Shape (H, W) int16, of the picture's own size."""


def read_test_picture(part: LabelledImages, short_side: int, index: int) -> TestPicture:
    """Read a picture with its labels, and resize the picture.

    Args:
        part: Pictures and labels.
        short_side: Pixels that the shorter side of the picture gets; the longer one keeps its ratio. Where that one
            would get more than four times as many, it gets these, and the shorter one less.
        index: Which one.

    Raises:
        ValueError: The picture or its labels cannot be used; the sentence names it.

    Source:
        mmsegmentation's 2048 x 512 for ADE20K.
    """
    try:
        image, labels = part.read(index)
    except ValueError as error:
        raise ValueError(
            f"{part.names[index]} cannot be evaluated: {error}; mend it and go on with --resume"
        ) from error
    height, width = labels.shape
    scale = min(short_side / min(height, width), _MAX_RATIO * short_side / max(height, width))
    size_hw = (max(1, round(height * scale)), max(1, round(width * scale)))
    return TestPicture(crop_image(image, Crop(0, 0, height, width, False), size_hw), labels)


class Predictor:
    """Predicts the class of every pixel, window by window.

    Args:
        step: With the network, on the device of the processes.
        config: Windows and their step.
        pixel_mean: Colour of what lies outside of a picture, full scale = 1.
        fabric: Arithmetic and device.
    """

    def __init__(
        self, step: SegmentStep, config: SegmentConfig, *, pixel_mean: tuple[float, ...], fabric: Fabric
    ) -> None:
        self._step = step
        self._config = config
        self._fabric = fabric
        self._padding = torch.from_numpy(padding_colour(pixel_mean))

    def __call__(self, picture: TestPicture) -> Tensor:
        """Predict a picture.

        Returns:
            Classes on the device, shape (H, W) int64, of the size of its labels.
        """
        with torch.inference_mode():
            logits = slide(
                torch.from_numpy(picture.image).to(self._fabric.device),
                self._predict,
                window_hw=self._config.encoder.image_hw,
                stride=self._config.test_stride,
                batch_size=self._config.test_batch_size,
                padding=self._padding,
            )
            height, width = picture.labels.shape
            return classify(logits, (height, width))

    def _predict(self, windows: Tensor) -> Tensor:
        model = self._step.model
        was_training = model.training
        model.eval()
        with self._fabric.autocast():
            logits = model.predict(self._step.normalise(windows))
        model.train(was_training)
        return logits if logits.dtype == torch.float64 else logits.float()
