"""Cells of Parquet files: images, and lists of label maps."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rmae.quoting import one_line

if TYPE_CHECKING:
    import pyarrow as pa


class Column:
    """A column's cells by their row, as pyarrow has them; nothing is read but the cell."""

    def __init__(self, chunks: "pa.ChunkedArray") -> None:
        self._chunks = chunks
        self._ends = np.cumsum([len(chunk) for chunk in chunks.iterchunks()])

    def __getitem__(self, row: int) -> "pa.Scalar":
        place = int(np.searchsorted(self._ends, row, side="right"))
        chunk = self._chunks.chunk(place)
        return chunk[row - int(self._ends[place]) + len(chunk)]


def entries_of(cell: Any) -> list[Any]:
    """The entries of a list, or what is none as its only entry."""
    import pyarrow as pa

    if not isinstance(cell, pa.ListScalar | pa.LargeListScalar):
        return [cell]
    return [] if cell.values is None else list(cell.values)


def encoded_image(cell: Any, what: str, missing: type[Exception]) -> bytes:
    """Take the bytes of an image out of its cell.

    Args:
        cell: A pyarrow scalar of bytes, or of a struct with `bytes` and perhaps `path`; or None.
        what: Which image, in words, for the error.
        missing: Class of the error.

    Raises:
        missing: The cell holds no image.
    """
    import pyarrow as pa

    encoded, path = cell, None
    if isinstance(cell, pa.StructScalar):
        encoded, path = (cell["bytes"], cell.get("path")) if cell.is_valid else (None, None)
    if encoded is None or not encoded.is_valid:
        raise missing(f"{what} is not in the Parquet file" + _in_its_place(path))
    return encoded.as_py()


def _in_its_place(path: Any) -> str:
    """What a cell without an image has, in words; a path need not be text, whatever its type says."""
    encoded = path.as_buffer().to_pybytes() if path is not None and path.is_valid else b""
    return f", only its path {one_line(encoded.decode(errors='replace'))}" if encoded else ""
