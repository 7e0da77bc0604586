"""Images in Parquet files, as data sets of the Hugging Face Hub are stored, read in any order."""

import io
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from rmae.config import DataConfig
from rmae.data.images import check_max_pixels
from rmae.data.label_map_images import read_label_map
from rmae.data.parquet_cells import Column, encoded_image, entries_of
from rmae.files import parse_json
from rmae.quoting import one_line
from rmae.regions.label_runs import LabelRuns

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets.packaged_modules.parquet.parquet import Parquet
    from pyarrow.parquet import FileMetaData

IMAGE_COLUMNS = ("image", "img", "jpg", "png", "webp")
"""Names that tell the column of images where several could be it, the first that there is."""

_ROWS_AT_ONCE = 100  # of images a few megabytes, so that a row is found and read with little around it
_DIGITS = 9


def parquet_files(folder: Path) -> tuple[Path, ...]:
    """Find the Parquet files of a folder.

    Args:
        folder: Folder of the data set.

    Returns:
        The files ending in `.parquet` in the folder itself or, if there are none, in its sub-folder `data`; hidden ones
        are left out. In the order of their images' names; empty if there are none.
    """
    for place in (folder, folder / "data"):
        visible = place.glob("[!.]*") if place.is_dir() else ()
        files = [path for path in visible if path.suffix.lower() == ".parquet" and path.is_file()]
        if files:
            return tuple(sorted(files, key=_place_in_order))
    return ()


def split_parquet_files(files: Sequence[Path]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Tell the files to train on by their names, as the Hub names them (`train-00000-of-00005.parquet`).

    Args:
        files: Parquet files.

    Returns:
        Files to train on: those whose names begin with `train` or, if there are none, all that begin neither with
        `val` nor with `test`. Files for validation: those that begin with `val`.

    Raises:
        ValueError: There is no file to train on.
    """
    files = sorted(files, key=_place_in_order)
    validation = tuple(path for path in files if path.name.startswith("val"))
    training = tuple(path for path in files if path.name.startswith("train"))
    training = training or tuple(path for path in files if not path.name.startswith(("val", "test")))
    if not training:
        raise ValueError(
            f"there is no Parquet file to train on, only {_in_words([path.name for path in files])}; "
            "names of files to train on begin with train, or at least not with val or test"
        )
    return training, validation


class ParquetImages:
    """Images in Parquet files, and perhaps their label maps (needs `rmae[datasets]`).

    A Parquet file is compressed in blocks of many rows. So the columns that are needed are converted once, by the
    datasets library into its cache of memory-mapped files; they take about as much room as the images. Converting holds
    one row group at a time in memory. The network is not used.

    The column of images is the one whose feature is `datasets.Image`, or that holds bytes, or structs of `bytes` and
    `path`; of several the one with a name of `IMAGE_COLUMNS`.

    Args:
        files: The Parquet files; their names without suffix must differ.
        regions_column: Column of label maps: PNG or TIFF images of the size of the image, one or a list of them. Each
            value of each map is one region. Values are grey levels or palette indices as they are stored, and
            R + 256 G + 65536 B of colours. 255 in maps of 8 bits, 65535 in maps of 16 bits and negative values are no
            region. None = the images come without regions.
        cache_dir: Folder to keep converted files in; None = the datasets library's, which HF_HOME moves.
        max_pixels: Label maps with more are refused before they are decoded.

    Raises:
        ValueError: The datasets library is missing; there is no such file, column or image; the files are damaged or
            unlike each other; or there is no room to convert them.
    """

    names: tuple[str, ...]
    """`<name of the file without suffix>/<row in that file, nine digits>`, sorted."""

    def __init__(
        self,
        files: Sequence[Path],
        *,
        regions_column: str | None = None,
        cache_dir: Path | None = None,
        max_pixels: int = DataConfig.max_pixels,
    ) -> None:
        check_max_pixels(max_pixels)
        files = sorted((Path(path).absolute() for path in files), key=_place_in_order)
        self._again = partial(
            ParquetImages, files, regions_column=regions_column, cache_dir=cache_dir, max_pixels=max_pixels
        )
        self._max_pixels = max_pixels
        self._regions_column = regions_column
        footers = _read_footers(files)
        schemas = [_schema(footer, path) for footer, path in zip(footers, files, strict=True)]
        image_column = _find_image_column(schemas[0], regions_column, files[0])
        columns = [image_column] if regions_column is None else [image_column, regions_column]
        _check_columns_agree(schemas, columns, files)
        counts = [footer.num_rows for footer in footers]
        if not any(counts):
            raise ValueError(f"there is no image in {_in_words(files)}: no file has a row")
        table = _convert(files, footers, [schemas[0].field(column) for column in columns], cache_dir)
        if table.num_rows != sum(counts):
            raise ValueError(f"{_in_words(files)} hold {table.num_rows} rows, but say that they hold {sum(counts)}")
        starts = accumulate(counts, initial=0)  # of each file its first row in the table
        self._rows = {path.stem: span for path, *span in zip(files, starts, counts, strict=False)}
        self._images = Column(table.column(image_column))
        self._regions = None if regions_column is None else Column(table.column(regions_column))
        self.names = tuple(f"{stem}/{i:0{_DIGITS}d}" for stem, (_, rows) in self._rows.items() for i in range(rows))

    def __reduce__(self) -> "tuple[Callable[[], ParquetImages], tuple[()]]":
        return self._again, ()  # pickling what is mapped would copy all images

    @property
    def region_settings(self) -> dict[str, Any] | None:
        """The column of label maps; None where none was named."""
        return None if self._regions_column is None else {"kind": "inside", "column": self._regions_column}

    def open(self, name: str) -> BinaryIO:
        """Open the encoded image of this name.

        Raises:
            FileNotFoundError: There is no such image: its file or row does not exist, or the row holds none.
        """
        return io.BytesIO(encoded_image(self._images[self._row(name)], f"the image {name}", FileNotFoundError))

    def regions(self, name: str) -> LabelRuns:
        """Read the regions of an image from its label maps.

        Raises:
            FileNotFoundError: There is no such image.
            ValueError: No column of label maps was named, or the image's are missing, damaged, too large, of several
                sizes or of a mode whose values are no labels.
        """
        if self._regions is None:
            raise ValueError(f"{name} comes without regions: no column of label maps was named")
        cell = self._regions[self._row(name)]
        what = f"the label map of {name}"
        encoded_maps = [encoded_image(map_, what, ValueError) for map_ in entries_of(cell) or [None]]
        label_maps = [read_label_map(encoded, what, self._max_pixels) for encoded in encoded_maps]
        sizes = sorted({label_map.shape for label_map in label_maps})
        if len(sizes) > 1:
            raise ValueError(f"the label maps of {name} must be of one size, but have (height, width) {sizes}")
        return LabelRuns.of(np.stack(label_maps))

    def _row(self, name: str) -> int:
        """Row of the table that an image's name tells."""
        stem, _, digits = name.rpartition("/")
        first_row, num_rows = self._rows.get(stem, (0, 0))
        if digits.isdecimal() and len(digits) == _DIGITS and int(digits) < num_rows:
            return first_row + int(digits)
        raise FileNotFoundError(f"there is no image {name} in the Parquet files")


def _place_in_order(path: Path) -> str:
    return f"{path.stem}/"  # as the names of the images begin, so that these are sorted where the files are


def _read_footers(files: list[Path]) -> "list[FileMetaData]":
    if not files:
        raise ValueError("no Parquet file is given")
    stems = [path.stem for path in files]
    if len(set(stems)) < len(stems):
        raise ValueError(f"Parquet files must differ in their names, since images are named after them: {stems}")
    try:
        import datasets  # noqa: F401  # pyright: ignore[reportUnusedImport]  # it brings pyarrow, which reads footers
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise ValueError(
            "Parquet files are read with the datasets library, which is not installed; "
            "install it with: pip install 'rmae[datasets]'"
        ) from error
    footers = []
    for path in files:
        try:
            footers.append(pq.read_metadata(path))
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise ValueError(f"{path} cannot be read as a Parquet file ({_first_line(error)})") from error
    return footers


def _schema(footer: "FileMetaData", path: Path) -> "pa.Schema":
    import pyarrow as pa

    try:
        return footer.schema.to_arrow_schema()
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a Parquet file ({_first_line(error)})") from error


def _find_image_column(schema: "pa.Schema", regions_column: str | None, path: Path) -> str:
    """Choose the column of images and check the one of label maps."""
    import pyarrow as pa

    in_words = one_line(_in_words([f"{one_line(field.name)} ({field.type})" for field in schema]))
    if regions_column is not None:
        if schema.names.count(regions_column) != 1:
            raise ValueError(f"{path} has no column {regions_column!r} of label maps; its columns are {in_words}")
        kind = schema.field(regions_column).type
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        if not _can_hold_images(kind.value_type if is_list else kind):
            raise ValueError(
                f"{regions_column!r} of {path} is of type {one_line(str(kind))}, not of images or lists of images"
            )
    features = _feature_types(schema)
    candidates = [
        field.name
        for field in schema
        if field.name != regions_column
        and _can_hold_images(field.type)
        and features.get(field.name) in (None, "Image", "Value")  # sounds and videos are bytes with a path, too
    ]
    for name in IMAGE_COLUMNS:
        if name in candidates and len(candidates) > 1:
            return name
    # Declared images are certain, while bytes may be anything.
    candidates = [name for name in candidates if features.get(name) == "Image"] or candidates
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise ValueError(f"{path} has no column of images, that is of their encoded bytes; its columns are {in_words}")
    raise ValueError(
        f"{path} has several columns that could hold the images: {one_line(', '.join(candidates))}; "
        f"rename the column that holds the images to image; all columns are {in_words}"
    )


def _can_hold_images(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    fields = {field.name: field.type for field in kind} if pa.types.is_struct(kind) else {"bytes": kind}
    kind = fields.pop("bytes", pa.null())
    return set(fields) <= {"path"} and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _feature_types(schema: "pa.Schema") -> dict[str, str]:
    """Read what the datasets library noted of columns; itself it refuses a file with any type that it does not know."""
    try:
        features = parse_json((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature["_type"] for name, feature in features.items() if "_type" in feature}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _check_columns_agree(schemas: "list[pa.Schema]", columns: list[str], files: list[Path]) -> None:
    for column in columns:
        for schema, path in zip(schemas, files, strict=True):
            if schema.names.count(column) != 1:
                raise ValueError(f"{path} must have one column {column!r}, since {files[0]} has it")
            kind, expected = schema.field(column).type, schemas[0].field(column).type
            if kind != expected:
                raise ValueError(
                    f"the column {column!r} is of type {one_line(str(kind))} in {path}, but "
                    f"{one_line(str(expected))} in {files[0]}"
                )


def _convert(
    files: list[Path], footers: "list[FileMetaData]", fields: "list[pa.Field]", cache_dir: Path | None
) -> "pa.Table":
    """Convert columns into the cache unless they are there, and map them into memory."""
    import pyarrow as pa
    from datasets import Dataset, config
    from datasets.exceptions import DatasetGenerationError

    cache = Path(cache_dir or config.HF_DATASETS_CACHE).expanduser().absolute()
    try:
        with _bars_only_on_terminals():
            builder = _builder(files, fields, cache)
            if not Path(builder.cache_dir).exists():
                _announce(files, footers, cache)
            builder.download_and_prepare()
            dataset = builder.as_dataset(split="train")
    except (OSError, pa.ArrowException, DatasetGenerationError) as error:
        reason = _first_line(error.__cause__ or error)
        raise ValueError(f"{_in_words(files)} cannot be converted into {cache} ({reason})") from error
    assert isinstance(dataset, Dataset)
    return dataset.data.table


def _builder(files: list[Path], fields: "list[pa.Field]", cache: Path) -> "Parquet":
    """What converts the files; `load_dataset` would report to the Hub, and take names for patterns."""
    import pyarrow as pa
    from datasets import Features
    from datasets.data_files import DataFilesDict, DataFilesList
    from datasets.packaged_modules.parquet.parquet import Parquet

    states = [path.stat() for path in files]
    # A file that has changed is converted anew.
    origins: Any = [(str(state.st_mtime_ns), str(state.st_size)) for state in states]
    return Parquet(
        cache_dir=str(cache),
        dataset_name="rmae",
        data_files=DataFilesDict({"train": DataFilesList([str(path) for path in files], origins)}),
        columns=[field.name for field in fields],
        # As they are stored: what is declared as an image would be checked and copied.
        features=Features.from_arrow_schema(pa.schema([pa.field(field.name, field.type) for field in fields])),
        batch_size=_ROWS_AT_ONCE,
        writer_batch_size=_ROWS_AT_ONCE,
    )


def _announce(files: list[Path], footers: "list[FileMetaData]", cache: Path) -> None:
    """Say what will take minutes where there is much, or refuse what has no room."""
    num_bytes = sum(map(_unpacked_bytes, footers))
    free = shutil.disk_usage(cache).free
    if num_bytes > free:
        raise ValueError(
            f"the images of {files[0].parent} need up to {num_bytes / 1e9:.1f} GB in {cache}, where only "
            f"{free / 1e9:.1f} GB are free; set HF_HOME to a folder with more room"
        )
    size = f"{sum(footer.num_rows for footer in footers):,} images, {num_bytes / 1e9:.1f} GB"
    print(f"converting {files[0].parent} once ({size}), kept in {cache}", flush=True)


def _unpacked_bytes(footer: "FileMetaData") -> int:
    """What all columns of a file take when they are not compressed, most of which are images.

    Not those of the images alone: asked for one column of a damaged file, pyarrow may end the process.
    """
    return sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))


@contextmanager
def _bars_only_on_terminals() -> Iterator[None]:
    """Keep the datasets library's progress bars out of log files, unless the user has said otherwise."""
    from datasets import are_progress_bars_disabled, config, disable_progress_bars, enable_progress_bars

    if sys.stderr.isatty() or are_progress_bars_disabled() or config.HF_DATASETS_DISABLE_PROGRESS_BARS is not None:
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def _first_line(error: BaseException) -> str:
    return one_line((str(error).strip() or type(error).__name__).splitlines()[0])


def _in_words(things: Sequence[object]) -> str:
    return ", ".join(map(str, things[:10])) + (f" and {len(things) - 10} more" if len(things) > 10 else "")
