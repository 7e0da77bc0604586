"""Looking at what models learned: reconstructions, regions, attention and features on one page."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from rmae.config.visualize import VisualizeConfig
from rmae.config_json import config_to_json
from rmae.data.images import UnreadableImage
from rmae.data.picture_choice import Picture, choose_pictures
from rmae.evaluation.looking.attention import attend
from rmae.evaluation.looking.completions import complete_picture
from rmae.evaluation.looking.notes import describe, hints_for, missing_parts, pictures_in_words, seen_in_training
from rmae.evaluation.looking.regions import find_regions, read_annotations, source_in_words, source_of_runs
from rmae.evaluation.looking.subject import Subject, open_subjects
from rmae.files import read_json, whole_folder, write_atomically, write_encoded
from rmae.models.attention import patch_features
from rmae.models.query_patches import choose_query_patches
from rmae.quoting import one_line
from rmae.regions.source import RegionSource
from rmae.visual.feature_colours import FeatureColours, colour_features
from rmae.visual.pictures import show_stored
from rmae.visual.region_pictures import shown_size
from rmae.visual.visualisation_page import (
    Part,
    PictureHtml,
    PictureLook,
    View,
    Visualisation,
    draw_card,
    render_visualisation,
)
from rmae.visual.visualisation_parts import Features, attention_part, feature_part, reconstruction_part, region_part
from rmae.visual.visualisation_words import FIGURE_COLUMNS, Figure, figure_rows, figures_of, mean_figures

_PAGE, _RECORD = "index.html", "visualization.json"
_FORMAT, _FORMAT_VERSION = "visualization", 1
_COMPRESS_LEVEL = 2  # of 9: an eighth more bytes than Pillow's own choice, in a fifth of the time


def visualize(
    model: str | Path,
    images: str | Path | Sequence[str | Path] = (),
    *,
    out: str | Path,
    config: VisualizeConfig | None = None,
    against: Sequence[str | Path] = (),
    regions: RegionSource | None = None,
) -> Path:
    """Show what a model makes of pictures, and write it as a page and as PNGs.

    These are reconstructions with more and more patches hidden, completed regions, attention of single patches, and
    features as colours; of an encoder alone the last two.

    Args:
        model: Whatever `rmae.load` takes (a run, a checkpoint, a folder or file of weights, a hub id), the name or
            folder of a Vision Transformer of timm, or "scratch" for random weights.
        images: Files and folders; none = three photographs that come with scikit-image.
        out: Folder to write: new, empty, or of an earlier call, which is replaced.
        config: What to show; None = everything at its default.
        against: Further models, of any kind that `model` may be, to show beside it on the same pictures.
        regions: Where regions come from; None = as in the model's run, where that is found in pixels, or else
            `Felzenszwalb()`.

    Returns:
        Path of `index.html`. Beside it stand a folder of PNGs for each picture, and all settings and mean figures in
        `visualization.json`.

    Raises:
        ValueError: A model, the pictures, a setting or the folder cannot be used; the sentence says which.

    Example:
        >>> import rmae
        >>> rmae.visualize("runs/rmae", "photos", out="look", against=["runs/mae"])  # doctest: +SKIP
    """
    config = VisualizeConfig() if config is None else config
    out = Path(out).resolve()  # a link stays, and what it leads to is replaced
    _check_out(out)
    subjects = open_subjects([model, *against], img_size=config.img_size, seed=config.seed)
    chosen = choose_pictures([images] if isinstance(images, str | Path) else images, per_folder=config.num_images)
    source = source_of_runs(subjects) if regions is None else regions
    read_annotations(source)
    show = _read(chosen, subjects, source, config)
    with whole_folder(out) as folder:
        pictures: list[PictureHtml] = []
        figures: list[Figure] = []
        files = {_PAGE, _RECORD}
        for index in range(len(show.pictures)):
            look, of_picture = _look_at(show, index)
            pictures.append(draw_card(look, index + 1))
            figures += of_picture
            files |= _write_views(look, folder)
        sources = {"model": str(model), "against": [str(other) for other in against]}
        record = json.dumps({**sources, **_record(show, figures), "files": sorted(files)}, indent=2)
        write_atomically(folder / _RECORD, record + "\n")
        page = _visualisation(show, pictures, figures, record)
        write_atomically(folder / _PAGE, render_visualisation(page))
    return out / _PAGE


class _Show(NamedTuple):
    """All that is shown."""

    subjects: tuple[Subject, ...]
    source: RegionSource
    config: VisualizeConfig
    pictures: tuple[Picture, ...]
    """Those that can be read."""
    features: list[list[np.ndarray]]
    """Of each picture, by subject, shape (rows, columns, D) float32."""
    colours: list[FeatureColours]
    """By subject, of all pictures."""
    left_out: dict[str, str]
    """By name of a picture why it cannot be read."""


def _read(
    chosen: Sequence[Picture], subjects: tuple[Subject, ...], source: RegionSource, config: VisualizeConfig
) -> _Show:
    """Look at all pictures once, for the colours of features are chosen on all of them together."""
    pictures: list[Picture] = []
    features: list[list[np.ndarray]] = []
    left_out: dict[str, str] = {}
    for picture in chosen:
        try:
            images = _read_for(picture, subjects, config)
        except UnreadableImage as error:
            left_out[picture.name] = str(error)
            print(f"left out: {one_line(picture.name)}, {one_line(error)}", flush=True)
            continue
        pictures.append(picture)
        features.append([_features(subject, image) for subject, image in zip(subjects, images, strict=True)])
    if not pictures:
        name, reason = next(iter(left_out.items()))
        raise ValueError(f"none of the pictures can be read; the first, {name}: {reason}")
    colours = []
    for number, subject in enumerate(subjects):
        try:
            colours.append(colour_features(np.stack([of_picture[number] for of_picture in features])))
        except ValueError as error:
            raise ValueError(f"{subject.name}: {error}") from error
    return _Show(subjects, source, config, tuple(pictures), features, colours, left_out)


def _read_for(picture: Picture, subjects: tuple[Subject, ...], config: VisualizeConfig) -> list[np.ndarray]:
    """A picture as each subject needs it, (H, W, M) with its number of channels."""
    by_channels = {
        channels: picture.images.read(picture.name, channels=channels, max_pixels=config.max_pixels)
        for channels in {subject.channels for subject in subjects}
    }
    return [by_channels[subject.channels] for subject in subjects]


def _features(subject: Subject, image: np.ndarray) -> np.ndarray:
    features = patch_features(subject.encoder, subject.normalise(subject.squeeze(image)))[0]
    return features.unflatten(0, subject.grid).numpy()


def _look_at(show: _Show, index: int) -> tuple[PictureLook, list[Figure]]:
    """Everything about one picture."""
    picture = show.pictures[index]
    images = _read_for(picture, show.subjects, show.config)
    height, width = images[0].shape[:2]
    folder = f"{index + 1:02d}-{_slug(Path(picture.name).stem)}"
    shown = show_stored(images[0], shown_size(height, width))
    photo = View(f"{folder}/picture.png", shown, "Picture", f"{width} \N{MULTIPLICATION SIGN} {height} pixels")
    completed, figures = _completed_parts(show, index, images, photo, folder)
    points = show.config.queries or _query_points(show, index)
    attention = [
        attend(subject, image, points, layer=show.config.layer)
        for subject, image in zip(show.subjects, images, strict=True)
    ]
    features = [
        Features(subject.author, of_subject.colours[index], sum(of_subject.shares))
        for subject, of_subject in zip(show.subjects, show.colours, strict=True)
    ]
    parts = (
        *completed,
        attention_part(photo, list(zip(*attention, strict=True)), folder),
        feature_part(photo, features, folder),
    )
    return PictureLook(name=picture.name, image=shown, parts=parts), figures


def _completed_parts(
    show: _Show, index: int, images: Sequence[np.ndarray], photo: View, folder: str
) -> tuple[list[Part], list[Figure]]:
    """Reconstructions and regions, as far as models have what makes them."""
    config = show.config
    name = show.pictures[index].name
    regions = find_regions(show.source, show.subjects, images, name, config, index=index)
    reconstructions, guesses = [], []
    for subject, image in zip(show.subjects, images, strict=True):
        made, completed = complete_picture(subject, image, regions.maps(subject.image_hw), config, index=index)
        reconstructions += made
        guesses += completed
    figures = figures_of(reconstructions, guesses)
    parts = []
    if reconstructions:
        parts.append(reconstruction_part(photo, reconstructions, folder))
    if guesses:
        num_shown = 1 + max(guess.number for guess in guesses)
        maps = regions.maps((photo.image.shape[0], photo.image.shape[1]))[:num_shown]
        parts.append(region_part(photo, maps, guesses, folder))
    elif regions.reason:
        parts.append(Part("Regions", (), notes=(regions.reason,)))
    return parts, figures


def _query_points(show: _Show, index: int) -> list[tuple[float, float]]:
    """Centres of patches in different parts of a picture, as the first encoder sees it."""
    features = show.features[index][0]
    rows, columns = features.shape[:2]
    chosen = choose_query_patches(torch.from_numpy(features).flatten(0, 1), (rows, columns), show.config.num_queries)
    places = [divmod(patch, columns) for patch in chosen.tolist()]
    return [((column + 0.5) / columns, (row + 0.5) / rows) for row, column in places]


def _write_views(look: PictureLook, folder: Path) -> set[str]:
    """Write the views of a picture as PNGs; returns their names relative to the folder."""
    views = {view.file: view.image for view in look.views()}
    for file, image in views.items():
        (folder / file).parent.mkdir(exist_ok=True)
        view = Image.fromarray(image)
        write_encoded(folder / file, lambda out, view=view: view.save(out, "PNG", compress_level=_COMPRESS_LEVEL))
    return set(views)


def _record(show: _Show, figures: Sequence[Figure]) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "version": _FORMAT_VERSION,
        "regions": source_in_words(show.source),
        "pictures": [picture.name for picture in show.pictures],
        "left_out": show.left_out,
        "config": config_to_json(show.config),
        "figures": mean_figures(figures),
    }


def _visualisation(
    show: _Show, pictures: Sequence[PictureHtml], figures: Sequence[Figure], record: str
) -> Visualisation:
    kinds = {figure.kind for figure in figures}
    summary = {subject.name: describe(subject) for subject in show.subjects}
    summary["Pictures"] = pictures_in_words(show.pictures)
    if "iou" in kinds:
        summary["Regions"] = source_in_words(show.source)
    of_pictures = "1 picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
    return Visualisation(
        title=" beside ".join(subject.name for subject in show.subjects),
        lead="What a model fills in where a picture is hidden, what its patches attend to, and what its features tell "
        "apart.",
        summary=summary,
        notes=[
            *missing_parts(show.subjects),
            *seen_in_training(show.subjects, show.pictures),
            *(f"Left out: {name}, {reason}." for name, reason in show.left_out.items()),
        ],
        columns=FIGURE_COLUMNS,
        rows=figure_rows(mean_figures(figures)),
        table_hint=f"Means over {of_pictures}, too few to rank models by. Where a model does more than guess, its "
        "error is below that of the flat guess, and its IoU above the baseline.",
        hints=hints_for(show.subjects, show.config, with_pixels="error" in kinds, with_regions="iou" in kinds),
        pictures=pictures,
        record_json=record,
    )


def _slug(name: str) -> str:
    """A name as files can be called anywhere."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:60] or "picture"


def _check_out(out: Path) -> None:
    """Raise a ValueError if writing the page would destroy something else."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; choose a folder for the page (--out)")
    if not out.is_dir():
        return
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    if found - _files_written(out):
        raise ValueError(
            f"there is something else in {out} than an earlier page of rmae visualize; choose a new or empty folder "
            "(--out)"
        )


def _files_written(out: Path) -> set[str]:
    """What an earlier call wrote into a folder; nothing where there was none."""
    try:
        record = read_json(out / _RECORD)
        return set(record["files"]) if record["format"] == _FORMAT else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
