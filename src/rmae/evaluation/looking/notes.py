"""What a reader of the page has to know about the models and the pictures on it."""

from collections.abc import Sequence
from pathlib import Path

from rmae.config.visualize import VisualizeConfig
from rmae.data.photographs import TRAINING, photographs_folder
from rmae.data.picture_choice import Picture
from rmae.evaluation.looking.completions import normalises_pixels
from rmae.evaluation.looking.subject import Subject
from rmae.visual.visualisation_page import Hint
from rmae.visual.visualisation_words import attention_hint, feature_hint, reconstruction_hint, region_hint


def hints_for(
    subjects: Sequence[Subject], config: VisualizeConfig, *, with_pixels: bool, with_regions: bool
) -> list[Hint]:
    """How to read the parts that the page has."""
    hints = []
    if with_pixels:
        decoding = [each for each in subjects if each.model is not None and each.model.pixel_decoder is not None]
        borrowing = [each.name for each in decoding if normalises_pixels(each, config)]
        plain = [each.name for each in decoding if each.name not in borrowing]
        hints.append(reconstruction_hint(borrowing=borrowing, plain=plain))
    if with_regions:
        hints.append(region_hint(whole_picture=config.whole_picture))
    return [*hints, attention_hint(blocks=_blocks(subjects, config.layer)), feature_hint()]


def _blocks(subjects: Sequence[Subject], layer: int) -> list[str]:
    """Which block is shown, numbered as `--layer` is; with names where encoders differ in it."""
    depths = [len(subject.encoder.blocks) for subject in subjects]
    blocks = [f"block {layer % depth} of 0 to {depth - 1}" for depth in depths]
    if len(set(blocks)) == 1:
        return blocks[:1]
    return [f"{block} ({subject.name})" for block, subject in zip(blocks, subjects, strict=True)]


def describe(subject: Subject) -> str:
    """A model in a line."""
    (rows, columns), (height, width) = subject.grid, subject.image_hw
    times = "\N{MULTIPLICATION SIGN}"
    words = (
        f"{len(subject.encoder.blocks)} blocks of {subject.encoder.embed_dim} channels; sees a picture as {width} "
        f"{times} {height} pixels in {columns} {times} {rows} patches"
    )
    if subject.is_random:
        words += "; random weights"
    if subject.run is not None:
        words += f"; trained on {subject.run.data or 'photographs that come with scikit-image'}"
    return words


def pictures_in_words(pictures: Sequence[Picture]) -> str:
    """How many pictures, and from where."""
    folders = dict.fromkeys(picture.images.root for picture in pictures)
    names = ["the photographs of scikit-image" if path == photographs_folder() else str(path) for path in folders]
    return f"{len(pictures)} from {', '.join(names)}"


def missing_parts(subjects: Sequence[Subject]) -> list[str]:
    """What cannot be shown of which model, and why, in sentences."""
    notes = []
    for subject in subjects:
        model = subject.model
        if model is None and not subject.is_random:
            notes.append(
                f"{subject.name} is an encoder alone, so only its attention and features are shown: filling in takes "
                "the decoders that it was trained with, and they are not among these weights."
            )
        elif model is not None and model.region_branch is None:
            notes.append(f"{subject.name} has no region branch, so it completes no regions.")
        elif model is not None and model.pixel_decoder is None:
            notes.append(f"{subject.name} has no pixel decoder, so it reconstructs no pixels.")
    return notes


def seen_in_training(subjects: Sequence[Subject], pictures: Sequence[Picture]) -> list[str]:
    """Which models may have been trained on pictures that are shown, in sentences."""
    notes = []
    for subject in subjects:
        if subject.run is None:
            continue
        if count := sum(_may_be_seen(picture, subject.run.data) for picture in pictures):
            which = "1 of the pictures comes" if count == 1 else f"{count} of the pictures come"
            where = "the photographs of scikit-image" if subject.run.data is None else "the folder"
            notes.append(
                f"{which} from {where} that {subject.name} was trained on. It may remember what it fills in there: "
                "judge it by pictures that it has not seen."
            )
    return notes


def _may_be_seen(picture: Picture, data: str | None) -> bool:
    path = (picture.images.root / picture.name).resolve()
    if data is None:
        return path in {(photographs_folder() / name).resolve() for name in TRAINING}
    return path.is_relative_to(Path(data).resolve())
