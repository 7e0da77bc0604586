"""Which images long work began with: files may be deleted and added while it is stopped."""

import json
from pathlib import Path

from rmae.data.image_set import ImageSet
from rmae.files import parse_json, write_atomically


def write_names(path: Path, images: ImageSet) -> None:
    """Write the names of files of images, a JSON string a line; a container names its images itself."""
    if images.container is None:
        write_atomically(path, "".join(json.dumps(name) + "\n" for name in images.names))


def as_begun(path: Path, fingerprint: str, listed: ImageSet, *, max_bad_share: float) -> ImageSet | None:
    """The images that work goes on with.

    Args:
        path: What `write_names` wrote when it began.
        fingerprint: Of the images then.
        listed: All images that are there now.
        max_bad_share: Share of the images that may be gone, in [0, 1]; one image may be in any case.

    Returns:
        The images that it began with, of which those that are gone cannot be used; None where too many are gone, or
        nobody knows any more which they were.
    """
    try:
        names = tuple(parse_json(line) for line in path.read_bytes().splitlines())
    except (FileNotFoundError, ValueError):
        return None
    if not all(isinstance(name, str) for name in names):
        return None
    begun = listed._replace(names=names)
    num_gone = len(set(begun.names).difference(listed.names))
    if begun.fingerprint() != fingerprint or num_gone > max(1, max_bad_share * len(begun.names)):
        return None
    return begun
