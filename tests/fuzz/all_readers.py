"""All readers."""

from fuzz.reader import Reader
from fuzz.readers import annotations, images, packed, regions, run_files, settings, weights

READERS: dict[str, Reader] = {
    reader.name: reader
    for part in (regions, annotations, images, packed, weights, run_files, settings)
    for reader in part.READERS
}
"""By name."""
