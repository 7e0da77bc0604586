"""The folder of a run: what stands where, and when an old one may be gone on with."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rmae.config import PretrainConfig
from rmae.config_json import config_from_json, config_to_json
from rmae.data.image_names import write_names
from rmae.data.image_set import ImageSet
from rmae.files import read_json, write_json
from rmae.models.weights import CHECKPOINTS
from rmae.quoting import one_line, quoted

FORMAT_VERSION = 1
"""Version of the folders written here; another one is refused."""

_MAY_CHANGE = {
    "name", "data.num_workers", "data.max_bad_share", "data.region_store", "optimizer.epochs", "optimizer.updates",
    "optimizer.accumulate", "optimizer.base_lr", "optimizer.clip_grad", "run.accelerator", "run.devices",
    "run.num_threads", "run.precision", "run.compile", "run.checkpoint_activations", "run.log_every",
    "run.checkpoint_every", "run.keep_newest", "run.keep_every",
}  # fmt: skip
"""Knobs that a resumed run may set anew: none of them changes which batch comes when, or what the model is."""


@dataclass(frozen=True)
class RunFolder:
    """Names inside a run's folder."""

    path: Path

    @property
    def config(self) -> Path:
        """The run's configuration and where its data are."""
        return self.path / "config.json"

    @property
    def image_names(self) -> Path:
        """One JSON string a line for every image of the folder that the run trains on."""
        return self.path / "images.jsonl"

    @property
    def metrics(self) -> Path:
        """One JSON object a line for every log step."""
        return self.path / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / CHECKPOINTS

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.path / "report.html"

    @property
    def skipped_images(self) -> Path:
        """One JSON object a line for every image that could not be read."""
        return self.path / "skipped_images.jsonl"


class SavedRun(NamedTuple):
    """What a run's `config.json` holds."""

    settings: dict[str, Any]
    """The configuration as JSON."""
    data: str | None
    """The folder of images; None = the bundled photographs."""
    images: str
    """What the list of images was, in short."""
    file: Path
    """Where this stands."""

    def config(self) -> PretrainConfig:
        """The configuration.

        Raises:
            ValueError: It is not one of this version, or it has a region source of the user's own.
        """
        return config_from_json(PretrainConfig, self.settings, where=str(self.file))


def refuse_used_folder(path: Path) -> None:
    """Raise a ValueError if the folder of a new run has something in it already, or a name that weights cannot have."""
    try:
        str(path.resolve()).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"the run folder {one_line(str(path))} has letters in its path that are not UTF-8, where no weights can be "
            "read; choose another one (--out)"
        ) from None
    half_written = f".{RunFolder(path).config.name}.partial"  # by a start that was killed before this was a run
    if path.exists() and (not path.is_dir() or any(entry.name != half_written for entry in path.iterdir())):
        raise ValueError(
            f"the run folder {path} is not empty; choose another one (--out), or go on with the run in it (--resume)"
        )


@contextmanager
def alone_in(path: Path) -> Iterator[None]:
    """Keep other processes from training in a folder, until this is left or the process ends, whatever ends it.

    It is the folder itself that is locked, so that nothing is left in it. File systems without such locks, some of
    several machines, keep nobody out.

    Args:
        path: The folder of a run or of an evaluation.

    Raises:
        ValueError: Another process trains there.
    """
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    _locked.add(folder)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ValueError(
                    f"another process works in {path}; wait until it ends, or choose another folder (--out)"
                ) from error
        yield
    finally:
        _locked.discard(folder)
        os.close(folder)


_locked: set[int] = set()
"""Descriptors of this process; a child that shared one would keep the folder locked after its parent was killed."""


def _share_no_locks() -> None:
    for folder in _locked:
        os.close(folder)
    _locked.clear()


os.register_at_fork(after_in_child=_share_no_locks)


def start_run(path: Path, config: PretrainConfig, data: str | None, images: ImageSet) -> RunFolder:
    """Make the folder of a new run.

    Args:
        path: The folder, new or empty.
        config: The run.
        data: The folder of images; None = the bundled photographs.
        images: What the run trains on.

    Raises:
        ValueError: There is something in the folder already.
    """
    refuse_used_folder(path)
    path.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(path)
    _save_run(folder, config, data, images)
    return folder


def _save_run(folder: RunFolder, config: PretrainConfig, data: str | None, images: ImageSet) -> None:
    saved = {
        "format": "run",
        "version": FORMAT_VERSION,
        "data": data,
        "images": images.fingerprint(),
        "config": config_to_json(config),
    }
    write_json(folder.config, saved)
    if data is not None and not folder.image_names.exists():
        write_names(folder.image_names, images)


def read_run(path: Path) -> SavedRun:
    """Read a run's configuration.

    Raises:
        ValueError: The folder holds no run, or one of another version.
    """
    file = RunFolder(path).config
    try:
        saved = read_json(file)
        if saved["format"] != "run":
            raise ValueError(f"it is a {one_line(saved['format'], longest=60)}")
        version = saved["version"]
    except FileNotFoundError:
        raise ValueError(f"there is no run in {path}: {file.name} is missing") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} does not describe a run ({one_line(error)})") from error
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path} is a run of format version {quoted(version)}; this rmae reads version {FORMAT_VERSION}"
        )
    match saved:
        case {"config": dict(settings), "data": str() | None as data, "images": str(images)}:
            return SavedRun(settings, data, images, file)
    raise ValueError(f"{file} does not describe a run (it lacks config, data or images)")


def check_images(saved: SavedRun, images: ImageSet) -> None:
    """Raise a ValueError where a run was trained on other images than these."""
    if saved.images != images.fingerprint():
        raise ValueError(
            f"the run in {saved.file.parent} was trained on other images ({one_line(saved.images)}) than those there "
            f"now ({images.fingerprint()}); bring the same files back, or start a new run"
        )


def resume_run(path: Path, config: PretrainConfig, data: str | None, images: ImageSet) -> RunFolder:
    """Open the folder of an earlier run to go on with it; the arguments are those of `start_run`.

    Raises:
        ValueError: There is no run, the settings differ in more than what may change, or the images are others.
    """
    saved = read_run(path)
    for knob, (was, wanted) in differences(saved.settings, config_to_json(config)).items():
        if knob not in _MAY_CHANGE:
            raise ValueError(
                f"the run in {path} has {one_line(knob)} {one_line(was)}, not {one_line(wanted)}; a resumed run cannot "
                "change it"
            )
    check_images(saved, images)
    folder = RunFolder(path)
    _save_run(folder, config, data, images)
    return folder


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Knobs that differ between two configurations as JSON: by dotted name what each of them says."""
    found = {}
    for name in old.keys() | new.keys():
        was, wanted = old.get(name), new.get(name)
        if isinstance(was, dict) and isinstance(wanted, dict):
            found |= differences(was, wanted, f"{prefix}{name}.")
        elif was != wanted:
            found[prefix + name] = (was, wanted)
    return found
