"""Whole runs: training, then its report."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rmae.config import PretrainConfig
from rmae.config_json import config_to_json
from rmae.data.crops import centre_crop, crop_image
from rmae.data.drawing import draw_regions
from rmae.data.image_names import as_begun
from rmae.data.image_set import ImageSet
from rmae.data.images import StoredImage, UnreadableImage
from rmae.data.layouts import split_images
from rmae.data.region_reader import open_regions_of_pictures
from rmae.data.statistics import measure_statistics
from rmae.data.training_regions import make_training_regions, with_region_store
from rmae.files import check_writable, write_atomically
from rmae.models.completion import complete, hidden_iou
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.models.weights import load
from rmae.models.weights.records import read_metrics
from rmae.ops.bits import unpack_bits
from rmae.ops.normalisation import Normalise, scale_pixels
from rmae.regions.label_runs import LabelRuns
from rmae.training.loop import check_trainable, train
from rmae.training.processes import run_on_ranks
from rmae.training.ranks import Ranks
from rmae.training.run_folder import (
    RunFolder,
    SavedRun,
    alone_in,
    check_images,
    read_run,
    refuse_used_folder,
    resume_run,
    start_run,
)
from rmae.visual.report import PictureCompletion, RegionCompletion, Report, render_report


def pretrain(
    config: PretrainConfig, *, data: str | Path | None = None, out: str | Path | None = None, resume: bool = False
) -> Path:
    """Pre-train a model on a folder of images, and write a report about it.

    Under torchrun or srun each process calls this alike, and the first one alone writes. With `config.run.devices`
    above 1 and without a launcher, this process starts the others itself; a script must then keep what it does under
    `if __name__ == "__main__":`.

    Args:
        config: The run, for instance `rmae.preset("demo")`; change it with `dataclasses.replace`.
        data: Folder of images, in the COCO or ImageNet layout or any other; None takes the photographs that come with
            scikit-image, and where a run is resumed, the run's own folder.
        out: Folder of the run; must be empty unless `resume`. None = `runs/NAME-TIME`.
        resume: Go on with the run in `out` from its newest checkpoint.

    Returns:
        The run's folder, with `report.html`, `checkpoints/`, `metrics.jsonl` and more.

    Raises:
        ValueError: The settings, the data or the folder cannot be used; the sentence says why and what to do.
        NonFiniteError: A loss or gradient was not finite; a checkpoint holds the weights from before it.
        TrainingStopped: SIGINT or SIGTERM arrived; a checkpoint holds the state.
        Stopped: The signal arrived while regions were made; the same call goes on.
        FailedElsewhere: Another process of the run failed.
        OSError: Nothing can be written in the folder, or the disk is full; the last checkpoint is whole.

    Example:
        >>> import rmae
        >>> rmae.pretrain(rmae.preset("demo"), out="runs/demo")  # doctest: +SKIP
    """
    if resume and out is None:
        raise ValueError("there is no run to go on with; name its folder (--out)")
    trained = run_on_ranks(
        partial(_train, config, data=data, out=out, resume=resume),
        config.run,
        check=partial(_check_places, config, data=data, out=out, resume=resume),
    )
    if trained.is_first:
        report(trained.path, config=trained.config)
    return trained.path


class _Trained(NamedTuple):
    """What one of the processes that trained knows."""

    path: Path
    """The run's folder."""
    config: PretrainConfig
    """As trained."""
    is_first: bool
    """Whether it is the one that writes the report."""


def _train(
    config: PretrainConfig, ranks: Ranks, *, data: str | Path | None, out: str | Path | None, resume: bool
) -> _Trained:
    """Train in one of the processes of a run; the first one alone makes what the others then find."""
    ranks.check_alike(_digest(config), "settings")
    path = ranks.first_does(lambda: _path_of_run(config, out))
    saved = ranks.first_does(lambda: _look_into(path, resume=resume))
    with ExitStack() as alone:
        if saved is not None:
            ranks.first_does(lambda: alone.enter_context(alone_in(path)))
        if saved is not None and data is None:
            data = saved.data
        root = None if data is None else Path(data).resolve()
        images, held_out = split_images(root, config.data, seed=config.run.seed)
        if saved is not None and saved.images != images.fingerprint():
            listed = images._replace(names=tuple(sorted({*images.names, *held_out.names})))
            names = RunFolder(path).image_names
            images = as_begun(names, saved.images, listed, max_bad_share=config.data.max_bad_share) or images
            check_images(saved, images)
        ranks.check_alike(images.fingerprint(), "images")
        with_store = with_region_store(config, images, beside=path)
        ranks.check_alike(with_store.data.region_store, "files of regions")
        ranks.first_does(lambda: check_trainable(with_store, images, folder=path, world_size=ranks.world_size))
        ranks.first_does(lambda: make_training_regions(with_store, images))
        final = with_store
        if config.data.measure_statistics:
            final = _with_statistics(
                with_store,
                *ranks.first_does(lambda: _measure(with_store, images) if saved is None else _saved_statistics(saved)),
            )
        where = None if root is None else str(root)
        folder = ranks.first_does(lambda: (resume_run if resume else start_run)(path, final, where, images))
        if saved is None:
            ranks.first_does(lambda: alone.enter_context(alone_in(path)))
        train(final, images, folder, ranks)
    return _Trained(path, final, ranks.is_first)


def _digest(config: PretrainConfig) -> str:
    settings = json.dumps(config_to_json(config), sort_keys=True)
    return hashlib.sha256(settings.encode()).hexdigest()[:8]


def _check_places(config: PretrainConfig, *, data: str | Path | None, out: str | Path | None, resume: bool) -> None:
    """Refuse at once what needs no other process to be refused."""
    saved = _look_into(_path_of_run(config, out), resume=resume)
    if data is None and saved is not None:
        data = saved.data
    if data is not None and not Path(data).exists():
        raise ValueError(f"the data folder {data} does not exist")


def _path_of_run(config: PretrainConfig, out: str | Path | None) -> Path:
    return Path("runs") / f"{config.name}-{datetime.now():%Y%m%d-%H%M%S}" if out is None else Path(out)


def _look_into(path: Path, *, resume: bool) -> SavedRun | None:
    """The run in a folder that is to be resumed, or None where the folder is good for a new one.

    Makes a file for a moment to find out whether any can be written there, or in the nearest folder above that exists.

    Raises:
        ValueError: There is no run to resume, or the folder of a new one is not empty.
        OSError: Nothing can be written there.
    """
    saved = None
    if resume:
        saved = read_run(path)
    else:
        refuse_used_folder(path)
    check_writable(path)
    return saved


Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel."""


def _measure(config: PretrainConfig, images: ImageSet) -> Statistics:
    return measure_statistics(
        images, channels=config.model.channels, max_pixels=config.data.max_pixels, seed=config.run.seed
    )


def _saved_statistics(saved: SavedRun) -> Statistics:
    data = saved.settings["data"]
    return tuple(data["pixel_mean"]), tuple(data["pixel_std"])


def _with_statistics(config: PretrainConfig, mean: tuple[float, ...], std: tuple[float, ...]) -> PretrainConfig:
    return replace(config, data=replace(config.data, pixel_mean=mean, pixel_std=std, measure_statistics=False))


def report(run: str | Path, *, data: str | Path | None = None, config: PretrainConfig | None = None) -> Path:
    """Write the report of a run: its losses, and what its newest checkpoint makes of held-out pictures.

    Args:
        run: Folder of the run.
        data: Folder of images; None = where they were in training.
        config: The run's configuration; None = as saved. Needed where regions come from a source of your own.

    Returns:
        Path of `report.html` in the run's folder.

    Raises:
        ValueError: The folder holds no run or no checkpoint, or the images are no longer where they were.
    """
    folder = RunFolder(Path(run))
    saved = read_run(folder.path)
    config = saved.config() if config is None else config
    data = saved.data if data is None else data
    training, held_out = split_images(None if data is None else Path(data), config.data, seed=config.run.seed)
    model = load(folder.path).eval()
    metrics = read_metrics(folder.metrics)
    same = saved.images == training.fingerprint()
    unseen = "not trained on" if same else "perhaps trained on: the images have changed since"
    summary = {
        "Task": config.model.task,
        "Data": data if data is not None else "photographs that come with scikit-image",
        "Training images": f"{len(training.names):,}",
        "Pictures below": f"{len(held_out.names):,}, {unseen}",
        "Crop": "{} x {} pixels".format(*config.model.image_hw),
        "Updates": f"{metrics[-1]['update']:,}" if metrics else "0",
    }
    page = Report(
        title=config.name,
        summary={name: str(fact) for name, fact in summary.items()},
        metrics=metrics,
        pictures=tuple(_complete_pictures(model, held_out, config)),
        normalized_pixels=config.loss.normalize_pixels,
        num_skipped=_count_lines(folder.skipped_images),
        config_json=json.dumps(saved.settings, indent=2),
    )
    write_atomically(folder.report, render_report(page))
    return folder.report


def _count_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


def _complete_pictures(
    model: MaskedAutoencoder, pictures: ImageSet, config: PretrainConfig
) -> Iterator[PictureCompletion]:
    """Hide patches of each picture and complete it; the same pictures are always hidden in the same way."""
    for index, name in enumerate(pictures.names):
        generator = np.random.default_rng([config.run.seed, index])
        try:
            image = pictures.read(name, channels=config.model.channels, max_pixels=config.data.max_pixels)
        except UnreadableImage:
            continue
        pixels, regions = _cut(image, name, pictures, config, generator)
        yield _complete_picture(model, name, pixels, regions, config, generator)


def _cut(
    image: np.ndarray, name: str, pictures: ImageSet, config: PretrainConfig, generator: np.random.Generator
) -> tuple[Tensor, Tensor | None]:
    """The middle of a picture, (1, M, h, w) float in [0, 1], and R regions drawn from it, (1, R, h, w) bool."""
    height, width = config.model.image_hw
    crop = centre_crop(*image.shape[:2], aspect=width / height)
    pixels = torch.from_numpy(crop_image(image, crop, (height, width))).unsqueeze(0)
    regions = None
    if config.model.has_region_branch and config.data.regions is not None:
        try:
            runs = open_regions_of_pictures(config.data, pictures)(StoredImage.of(image), name)
        except (ValueError, OSError):  # no regions are known of this picture; its pixels can be shown all the same
            runs = LabelRuns.of(np.empty((0, *image.shape[:2]), dtype=np.int32))
        drawn = draw_regions(
            runs,
            crop,
            (height, width),
            num_regions=config.model.num_regions,
            generator=generator,
            area=config.data.region_area,
        )
        regions = unpack_bits(torch.from_numpy(drawn), width).unsqueeze(0)
    return scale_pixels(pixels), regions


def _complete_picture(
    model: MaskedAutoencoder,
    name: str,
    pixels: Tensor,
    regions: Tensor | None,
    config: PretrainConfig,
    generator: np.random.Generator,
) -> PictureCompletion:
    normalise = Normalise(config.data.pixel_mean, config.data.pixel_std)
    ids_shuffle, of_its_own = (
        torch.from_numpy(generator.permutation(model.encoder.patch_embed.num_patches)).unsqueeze(0) for _ in range(2)
    )
    completion = complete(
        model,
        normalise.of_scaled(pixels),
        regions,
        ids_shuffle,
        region_ids_shuffle=None if config.model.shared_mask else of_its_own,
        normalize_pixels=config.loss.normalize_pixels,
    )
    shown = []
    if regions is not None and completion.region_probability is not None:
        probability = completion.region_probability
        scores = hidden_iou(probability, regions, completion.region_hidden, config.model.patch_size)
        for index in _distinct(regions[0]):
            shown.append(
                RegionCompletion(
                    true=regions[0, index].numpy(),
                    probability=probability[0, index].numpy(),
                    iou_hidden=scores[0][0, index].item(),
                    baseline_hidden=scores[1][0, index].item(),
                )
            )
    reconstruction = completion.reconstruction
    return PictureCompletion(
        name=name,
        image=pixels[0].numpy(),
        hidden=completion.pixel_hidden[0].numpy(),
        region_hidden=completion.region_hidden[0].numpy(),
        grid=config.model.grid,
        reconstruction=None if reconstruction is None else normalise.to_scaled(reconstruction[0]).numpy(),
        regions=tuple(shown),
    )


def _distinct(regions: Tensor) -> list[int]:
    """Which of the regions (R, h, w) to show: a picture of few regions repeats them, and one of none has empty maps."""
    maps, first = np.unique(regions.numpy(), axis=0, return_index=True)
    return first[maps.any(axis=(1, 2))].tolist()
