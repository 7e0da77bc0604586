"""Judging a classifier, while it is trained and after."""

from collections.abc import Callable

from torch import Tensor, nn

from rmae.config.classification import FinetuneConfig, LinearConfig
from rmae.evaluation.classification.data import ClassificationData
from rmae.evaluation.classification.inference import Inference
from rmae.evaluation.classification.pictures import PictureReading
from rmae.evaluation.classification.verdicts import Verdicts, classify
from rmae.evaluation.encoder import Encoder
from rmae.ops.normalisation import Normalise
from rmae.training.ranks import Ranks


class Judge:
    """Judges a classifier by the pictures for validation, each time it is called.

    Args:
        classifier: From normalised pictures (B, 3, h, w), on the device, to logits (B, C).
        trained: The part of it that is in training mode otherwise; on the device.
        encoder: What it is built on.
        data: The pictures.
        config: How they are read.
        ranks: The processes that share them; each makes every call.
    """

    def __init__(
        self,
        classifier: Callable[[Tensor], Tensor],
        *,
        trained: nn.Module,
        encoder: Encoder,
        data: ClassificationData,
        config: LinearConfig | FinetuneConfig,
        ranks: Ranks,
    ) -> None:
        self._classifier, self._trained, self._data = classifier, trained, data
        weight = next(trained.parameters())
        self.normalise = Normalise(encoder.pixel_mean, encoder.pixel_std).to(weight.device, weight.dtype)
        """From bytes to what the encoder takes, on the device."""
        workers = config.reading.num_workers
        self.num_workers = ranks.num_cores_each() if workers is None else workers
        """Processes that read pictures for this one."""
        self._reading = PictureReading(data.val.images, config.encoder.image_hw, config.reading.max_pixels)
        self._inference = Inference(self.normalise, ranks, config.eval_batch_size, self.num_workers)

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self._data.classes)

    def __call__(self, *, doing: str | None = None) -> Verdicts:
        """Judge the classifier as it is now; arguments and errors are those of `classify`."""
        self._trained.eval()
        verdicts = classify(self._classifier, self._data, self._reading, self._inference, doing=doing)
        self._trained.train()
        return verdicts
