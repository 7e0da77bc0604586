"""Interactive segmentation with one model, beside other methods: scores, JSON, report."""

from functools import partial

import torch

from rmae.config.interactive import InteractiveConfig
from rmae.evaluation.folder import Estimate
from rmae.evaluation.interactive.assessment import assess
from rmae.evaluation.interactive.data import InteractiveData, choose_objects, open_data
from rmae.evaluation.interactive.methods import open_methods
from rmae.evaluation.interactive.report import write_report
from rmae.evaluation.interactive.results import RESULTS, write_results
from rmae.evaluation.interactive.scores import summarise
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder

__all__ = ["OBJECTS", "RESULTS", "evaluate", "open_data"]

OBJECTS = "objects.jsonl"
"""Name of the file with what came of each object, in the evaluation's folder."""


def evaluate(
    config: InteractiveConfig, model: MaskedAutoencoder, data: InteractiveData, folder: RunFolder, ranks: Ranks
) -> dict[str, float | Estimate]:
    """Click on objects until a model, and the methods beside it, have found them, and write a report.

    What is done is kept in `objects.jsonl` picture by picture: where that has some already, only the others are done.

    Args:
        config: The task.
        model: What is put to the test; it is put into evaluation mode, on the device of the process.
        data: Of `open_data`.
        folder: Where everything goes; exists.
        ranks: The processes that share the pictures; each calls this.

    Returns:
        `iou_1`, the mean IoU after one click, and so on for 3, 5, 10 and 20; `clicks_80`, the mean number of clicks to
        an IoU of 80 %, `failures_80`, the share of objects that never reach it, the same for 85 and 90 %; and
        `visible_iou_NN`, the mean IoU on hidden patches where NN % are visible. With confidence intervals over the
        pictures, the same on all processes.

    Raises:
        ValueError: A model cannot answer clicks, Segment Anything cannot be loaded, a picture cannot be used, or no
            mask of the objects has a pixel.
    """
    if config.run.num_threads is not None:
        torch.set_num_threads(config.run.num_threads)
    methods = open_methods(config, model, ranks)
    choice = choose_objects(config, data)
    if ranks.is_first:
        print(_describe(choice.num_objects, choice.num_eligible, list(methods.by_name), methods.missing))
    results = assess(config, methods.by_name, data, choice, folder.path / OBJECTS, ranks)
    if not any(result.objects for result in results):
        raise ValueError(f"the masks of all objects in {data.part.objects.file} that were drawn are empty")
    summary = summarise(
        results, visible_shares=config.visible_shares, num_resamples=config.num_resamples, seed=config.run.seed
    )
    ranks.first_does(partial(write_results, summary, choice, folder.path / RESULTS))
    ranks.first_does(partial(write_report, config, data, choice, methods, results, summary, folder))
    return {**summary.headline()}


def _describe(num_objects: int, num_eligible: int, methods: list[str], missing: tuple[str, ...]) -> str:
    left_out = "".join(f"; left out: {sentence}" for sentence in missing)
    return f"interactive: {num_objects:,} of {num_eligible:,} objects; {', '.join(methods)}{left_out}"
