"""Localisation by one encoder, and by those it is set against: scores, JSON, report."""

from functools import partial

import torch

from rmae.config.localisation import LocaliseConfig
from rmae.evaluation.encoder import Encoder, open_encoder
from rmae.evaluation.folder import Estimate
from rmae.evaluation.localisation.data import LocalisationData, open_data
from rmae.evaluation.localisation.maps import MapMaker
from rmae.evaluation.localisation.measurement import Measured, measure
from rmae.evaluation.localisation.reading import QuerySettings
from rmae.evaluation.localisation.report import write_report
from rmae.evaluation.localisation.results import RESULTS, write_results
from rmae.evaluation.localisation.summary import all_left_out, summarise
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder

__all__ = ["RESULTS", "evaluate", "open_data"]


def evaluate(
    config: LocaliseConfig, encoder: Encoder, data: LocalisationData, folder: RunFolder, ranks: Ranks
) -> dict[str, float | Estimate]:
    """Score where an encoder looks from inside each object, and write a report.

    Nothing is trained, so there are no checkpoints: it begins anew each time.

    Args:
        config: The task.
        encoder: What is put to the test; it is changed.
        data: Of `open_data`.
        folder: Where report and results go; exists.
        ranks: The processes that share the pictures; each calls this.

    Returns:
        `attention_auc`, `attention_mass`, `attention_pointing`, `attention_iou` and the same of `similarity`, with
        confidence intervals over the pictures, the same on all processes.

    Raises:
        ValueError: The pictures do not fit an encoder, it has no such layer or no attention of the plain kind, another
            one has patches of another size, a picture cannot be used, or no object can be looked at.
    """
    if config.run.num_threads is not None:
        torch.set_num_threads(config.run.num_threads)
    opened = [open_encoder(source, config.encoder, seed=config.run.seed) for source in config.against]
    makers = _map_makers(config, [encoder, *opened], ranks)
    settings = QuerySettings(
        config.encoder.image_hw, encoder.patch_size, config.min_patch_share, config.reading.max_pixels
    )
    measured = measure(
        data.part,
        data.rows(),
        makers,
        settings,
        ranks,
        batch_size=config.eval_batch_size,
        num_workers=ranks.num_cores_each() if config.reading.num_workers is None else config.reading.num_workers,
        seed=config.run.seed,
    )
    _require_objects(measured, data)
    summary = summarise(
        measured,
        data.part,
        [maker.name for maker in makers],
        layer=config.layer,
        num_resamples=config.num_resamples,
        seed=config.run.seed,
    )
    ranks.first_does(partial(write_results, summary, folder.path / RESULTS))
    ranks.first_does(partial(write_report, config, data, measured, summary, makers, settings, folder))
    return {**summary.headline()}


def _map_makers(config: LocaliseConfig, encoders: list[Encoder], ranks: Ranks) -> list[MapMaker]:
    first, *others = encoders
    for other in others:
        if other.patch_size != first.patch_size:
            raise ValueError(
                f"{other.name} cuts pictures into patches of {other.patch_size} pixels, but {first.name} of "
                f"{first.patch_size}; compare encoders with patches of one size, for scores depend on it (--against, "
                "--scratch-patch-size)"
            )
    dtype = torch.float64 if config.run.precision == "float64" else torch.float32
    makers = [MapMaker(each, image_hw=config.encoder.image_hw, fabric=ranks.fabric, dtype=dtype) for each in encoders]
    for maker in makers:
        if not -maker.depth <= config.layer < maker.depth:
            raise ValueError(
                f"layer is {config.layer}, but {maker.name} has {maker.depth} layers; give one from 0 to "
                f"{maker.depth - 1}, or -1 for the last (--layer)"
            )
    return makers


def _require_objects(measured: Measured, data: LocalisationData) -> None:
    if not len(measured.numbers):
        reasons = ", ".join(f"{count} {reason}" for reason, count in all_left_out(data.part, measured.left_out).items())
        raise ValueError(
            f"none of the objects in {data.part.objects.file} can be looked at: {reasons}; show larger pictures "
            "(--img-size), or ask for a smaller share of a patch (--min-patch-share)"
        )
