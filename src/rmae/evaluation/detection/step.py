"""The forward half of a training step, in one module."""

from torch import Tensor, nn

from rmae.evaluation.detection.mask_rcnn import DetectionLosses, MaskRcnn, Objects
from rmae.ops.normalisation import Normalise


class DetectionStep(nn.Module):
    """From a batch as stored to its losses.

    Args:
        model: The detector.
        pixel_mean: Mean of each channel, full scale = 1.
        pixel_std: Standard deviation of each channel, full scale = 1.
    """

    def __init__(self, model: MaskRcnn, *, pixel_mean: tuple[float, ...], pixel_std: tuple[float, ...]) -> None:
        super().__init__()
        self.model = model
        self.normalise = Normalise(pixel_mean, pixel_std)

    def forward(
        self,
        images: Tensor,
        boxes_xyxy: tuple[Tensor, ...],
        labels: tuple[Tensor, ...],
        masks: tuple[Tensor, ...],
    ) -> DetectionLosses:
        """Compare what the detector finds with what is there.

        Args:
            images: Shape (B, 3, H, W) uint8.
            boxes_xyxy: Of the n objects of each picture, shape (n, 4) float32, in pixels.
            labels: Shape (n,) int64, from 1 on.
            masks: Packed by `pack_bits`, shape (n, H, ceil(W / 8)) uint8.

        Returns:
            Scalars on the device.
        """
        objects = [Objects(*each) for each in zip(boxes_xyxy, labels, masks, strict=True)]
        return self.model(self.normalise(images), objects)
