"""Writing files that are whole whatever happens, and reading JSON whatever it is."""

import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from typing import Any, BinaryIO


class FileToDecode(BufferedReader):
    """A regular file, open for a decoder: what is read takes no more memory than the file has bytes.

    Damaged files make decoders read gigabytes at once, for which Python would take memory before it looks.

    Args:
        path: Which file.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__(FileIO(path))
        self._num_bytes = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as many bytes, or as there are; -1 and None read to the end."""
        if size is not None and size > self._num_bytes:
            size = -1
        return super().read(size)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file that is either the old one or the whole new one at any moment."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give a hidden file beside `path` to write, which then takes its place, whole; after an error it is removed.

    Raises:
        OSError: It cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with naming(path), partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    except BaseException:
        with suppress(OSError):  # on a full disk it would keep the room that is to be made
            partial.unlink()
        raise
    flush(path.parent)


def write_encoded(path: Path, encode: Callable[[BinaryIO], None]) -> None:
    """Write what an encoder makes, which is given memory and not the file.

    Pillow writes files by itself, and takes one that a full disk cut short for whole.

    Raises:
        OSError: It cannot be written.
    """
    encoded = BytesIO()
    encode(encoded)
    with naming(path):
        path.write_bytes(encoded.getvalue())


def write_json(path: Path, value: Any) -> None:
    """Write what `json.dumps` takes, as `write_atomically` does; NaN, for which JSON has no word, becomes null."""
    write_atomically(path, to_json(value) + "\n")


def to_json(value: Any) -> str:
    """Turn what `json.dumps` takes into text, indented; NaN becomes null, and infinity is a ValueError."""
    return json.dumps(_without_nan(value), indent=2, allow_nan=False)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: It holds no JSON, or is nested too deeply.
        OSError: It cannot be read.
    """
    return parse_json(path.read_bytes())


def parse_json(text: str | bytes) -> Any:
    """As `json.loads`, with a ValueError for what is nested too deeply, too."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


@contextmanager
def whole_folder(folder: Path, *, replaces: bool = True, sync_once: bool = False) -> Iterator[Path]:
    """Give a hidden folder beside `folder` to fill, which then takes its place, whole; after an error it is removed.

    Args:
        folder: What is to be there.
        replaces: Whether something else may be in its place, which is then deleted; where it may not, only an empty
            folder may.
        sync_once: Whether the kernel writes all that it holds to the disks at once, in place of one file after the
            other: of many files each takes milliseconds on a busy disk.

    Raises:
        OSError: It cannot be written, or something is in its place that is not to be replaced; that stays as it was.
    """
    partial, replaced = (folder.with_name(f".{folder.name}.{what}") for what in ("partial", "replaced"))
    if replaces:
        end_replacement(replaced)
    shutil.rmtree(partial, ignore_errors=True)  # of a call that was killed
    partial.mkdir(parents=True)
    try:
        yield partial
        if sync_once:
            os.sync()
        else:
            for path in (*partial.rglob("*"), partial):
                flush(path)
        if replaces and folder.exists():
            folder.rename(replaced)
        partial.rename(folder)  # which the kernel refuses where there is a folder that is not empty
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        if replaces:
            end_replacement(replaced)
        raise
    flush(folder.parent)
    if replaces:
        shutil.rmtree(replaced, ignore_errors=True)


def end_replacement(replaced: Path) -> None:
    """End what a kill amid `whole_folder` left half done: what was moved away goes back, or, if replaced, is deleted.

    Args:
        replaced: `.NAME.replaced`, where it moves the folder NAME for a moment; nothing happens where it is missing.
    """
    folder = replaced.with_name(replaced.name.removeprefix(".").removesuffix(".replaced"))
    if replaced.exists() and not folder.exists():
        replaced.rename(folder)
    shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError say which file could not be written: where the disk is full it does not by itself."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def check_writable(path: Path) -> None:
    """Raise an OSError where nothing could be written at a path, before work is done for it; leaves nothing there."""
    folder = path.absolute()
    while not folder.is_dir():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as error:
        raise OSError(f"nothing can be written in {folder} ({error.strerror}); choose another folder") from error


def flush(path: Path) -> None:
    """Make the kernel write a file's contents, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _without_nan(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_nan(each) for key, each in value.items()}
        case list() | tuple():
            return [_without_nan(each) for each in value]
        case float() if math.isnan(value):
            return None
        case _:
            return value
