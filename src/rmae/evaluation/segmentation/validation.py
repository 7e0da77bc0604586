"""Scoring a network on the pictures for validation, shared out over the processes."""

from contextlib import closing
from functools import partial

import torch

from rmae.data.worker_pool import work_in_processes
from rmae.evaluation.segmentation.data import SegmentationData
from rmae.evaluation.segmentation.prediction import Predictor, read_test_picture
from rmae.evaluation.segmentation.scores import SegmentScores, count_pairs, score
from rmae.training.ranks import Ranks


def validate(
    predict: Predictor,
    data: SegmentationData,
    ranks: Ranks,
    *,
    short_side: int,
    num_workers: int,
) -> SegmentScores:
    """Predict all pictures and compare them with their labels.

    Args:
        predict: The network.
        data: Whose pictures for validation are predicted.
        ranks: The processes; each of them calls this and takes a share.
        short_side: Pixels of the shorter side at which pictures are looked at.
        num_workers: Processes that read pictures for each of these; 0 = none.

    Returns:
        The scores, the same on all processes.

    Raises:
        ValueError: A picture or its labels cannot be used: scores of the others would be scores of other data.
    """
    part, num_classes = data.validation, len(data.classes)
    counts = torch.zeros(num_classes, num_classes, dtype=torch.int64, device=ranks.fabric.device)
    read = partial(read_test_picture, part, short_side)
    share = range(len(part.names))[ranks.rank :: ranks.world_size]
    with closing(work_in_processes(read, share, num_workers=num_workers)) as batches:
        for batch in batches:
            for picture in batch:
                labels = torch.from_numpy(picture.labels).to(counts.device)
                counts += count_pairs(predict(picture), labels, num_classes)
    return score(ranks.gather(counts.cpu()))
