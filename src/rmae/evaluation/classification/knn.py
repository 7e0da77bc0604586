"""Classification by the nearest training pictures in the space of a frozen encoder's features."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rmae.config.classification import KnnConfig
from rmae.data.image_set import ImageSet
from rmae.data.skips import SkipLog
from rmae.evaluation.classification.data import ClassificationData, list_classes
from rmae.evaluation.classification.features import encode_pooled, freeze
from rmae.evaluation.classification.inference import Inference, Outputs, run_over
from rmae.evaluation.classification.neighbours import Neighbours, merge_ranks, nearest_ranks, read_ranks, vote
from rmae.evaluation.classification.pictures import PictureReading
from rmae.evaluation.classification.report import write_knn_report
from rmae.evaluation.classification.verdicts import Verdicts, join
from rmae.evaluation.encoder import Encoder
from rmae.ops.normalisation import Normalise
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder


def open_data(config: KnnConfig, root: Path) -> ClassificationData:
    """Find the pictures of a folder in ImageNet's layout.

    Raises:
        ValueError: The folder is not in that layout.
    """
    return list_classes(root)


def evaluate(
    config: KnnConfig, encoder: Encoder, data: ClassificationData, folder: RunFolder, ranks: Ranks
) -> dict[str, float]:
    """Classify the pictures for validation by their nearest training pictures, and write a report.

    Nothing is trained and nothing drawn at random, so there are no checkpoints: it begins anew each time.

    Args:
        config: The task.
        encoder: Whose features are compared; fitted to the pictures in place.
        data: Of `open_data`.
        folder: Where the report goes; exists.
        ranks: The processes that share the pictures; each calls this.

    Returns:
        For each number of neighbours k `top1_k`, and of more than five classes `top5_k`, in [0, 1], the same on all
        processes. A number above that of the training pictures is lowered to it.

    Raises:
        ValueError: The encoder does not fit, too many training pictures cannot be read, or one for validation cannot.
        FailedElsewhere: Another process failed.
    """
    features = _extract(config, encoder, data, folder, ranks)
    numbers = tuple(dict.fromkeys(min(number, features.num_train) for number in config.num_neighbors))
    if ranks.is_first and max(config.num_neighbors) > features.num_train:
        print(f"there are {features.num_train} training pictures; no more than that are asked as neighbours")
    neighbours = _find(features, max(numbers), ranks)
    verdicts = {
        number: Verdicts(
            *vote(
                neighbours,
                data.train.labels,
                num_classes=len(data.classes),
                k=number,
                temperature=config.temperature,
            ),
            data.val.labels,
            data.classes,
        )
        for number in numbers
    }
    ranks.first_does(partial(write_knn_report, config, encoder.name, data, verdicts, neighbours, folder))
    return {f"{name}_{k}": score for k, each in verdicts.items() for name, score in each.scores().items()}


class _Features(NamedTuple):
    """Features of length 1, float32 on the CPU."""

    train: Tensor
    """Of this process's training pictures, shape (n, D)."""
    train_indices: Tensor
    """Which those are, shape (n,) int64."""
    num_train: int
    """Training pictures of all processes that could be read."""
    val: Tensor
    """Of all pictures for validation, shape (N, D)."""


def _extract(
    config: KnnConfig, encoder: Encoder, data: ClassificationData, folder: RunFolder, ranks: Ranks
) -> _Features:
    if config.run.num_threads is not None:
        torch.set_num_threads(config.run.num_threads)
    device, dtype = ranks.fabric.device, torch.float64 if config.run.precision == "float64" else torch.float32
    vit = freeze(encoder, image_hw=config.encoder.image_hw, pooling=config.pooling).to(device, dtype)
    workers = ranks.num_cores_each() if config.reading.num_workers is None else config.reading.num_workers
    normalise = Normalise(encoder.pixel_mean, encoder.pixel_std).to(device, dtype)
    inference = Inference(normalise, ranks, config.eval_batch_size, workers)

    def encode(images: Tensor) -> Tensor:
        return functional.normalize(encode_pooled(vit, images, config.pooling).float(), dim=1)

    def extract(images: ImageSet, doing: str) -> Outputs:
        reading = PictureReading(images, config.encoder.image_hw, config.reading.max_pixels)
        outputs = run_over(encode, reading, inference, doing=doing)
        if not outputs.values.isfinite().all():
            raise ValueError(
                f"the encoder {encoder.name} gives features that are not finite; take --precision float32, or see "
                "whether its weights are whole"
            )
        return outputs

    train = extract(data.train.images, "training pictures: encoding")
    skips = SkipLog(
        folder.skipped_images,
        num_images=len(data.train.labels),
        max_bad_share=config.reading.max_bad_share,
        writes=ranks.is_first,
    )
    for unreadable in ranks.gather(train.unreadable):
        skips.add(unreadable)
    skips.check()
    val = extract(data.val.images, "pictures for validation: encoding")
    (queries,) = join(val, (val.values.numpy(),), ranks)
    num_train = sum(ranks.gather(len(train.indices)))
    return _Features(train.values, torch.from_numpy(train.indices), num_train, torch.from_numpy(queries))


def _find(features: _Features, k: int, ranks: Ranks) -> Neighbours:
    """The k nearest training pictures of each picture for validation: of each process's, and then of those."""
    own = nearest_ranks(features.val, features.train, features.train_indices, k=k, device=ranks.fabric.device)
    found = [torch.from_numpy(each) for each in ranks.gather(np.asarray(own.cpu()))]
    return read_ranks(merge_ranks(found, k))
