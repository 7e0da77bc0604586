"""Blending the pictures of a batch, two and two."""

from timm.data.mixup import Mixup, mixup_target
from torch import Tensor


class Mixing:
    """Mixup or cutmix of a batch, at even odds where there are both, and targets to match.

    It draws from numpy's global generator: call it inside `keyed_randomness`.

    Args:
        mixup: How evenly two pictures are blended, alpha of a beta distribution; 0 = never.
        cutmix: How large a rectangle of another picture is put in, alpha of a beta distribution; 0 = never.
        label_smoothing: Share of the target that is spread over all classes, in [0, 1).
        num_classes: C.
    """

    def __init__(self, *, mixup: float, cutmix: float, label_smoothing: float, num_classes: int) -> None:
        self._num_classes, self._smoothing = num_classes, label_smoothing
        self._mixup = None
        if mixup > 0 or cutmix > 0:
            self._mixup = Mixup(
                mixup_alpha=mixup, cutmix_alpha=cutmix, label_smoothing=label_smoothing, num_classes=num_classes
            )

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Blend each picture with the one as far from the batch's end as it is from its beginning.

        Args:
            images: Shape (B, M, h, w) float, B even unless nothing is blended; may be changed in place.
            labels: Shape (B,) int64.

        Returns:
            The pictures, and their targets, shape (B, C) float32: each row adds up to 1.
        """
        if self._mixup is None:
            return images, mixup_target(labels, self._num_classes, smoothing=self._smoothing)
        return self._mixup(images, labels)
