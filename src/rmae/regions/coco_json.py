"""JSON files in COCO's form, checked while they are read."""

import json
import os
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from rmae.quoting import one_line, quoted
from rmae.regions.listed_images import ListedImages

_LONGEST_PART, _LONGEST_PATH = 255, 2000  # bytes of a name in a folder, and letters of a path, with room for the folder

Annotation = TypeVar("Annotation", bound=tuple)


class CocoImage(NamedTuple):
    """An entry of `images`."""

    id: int | str
    """What annotations call it."""
    name: str
    """Its path as the file gives it, without `./`."""
    height: int
    """In pixels, at least 1."""
    width: int
    """In pixels, at least 1."""
    absent: tuple[int, ...] = ()
    """Ids of categories that are surely not in it (LVIS alone: `neg_category_ids`)."""
    incomplete: tuple[int, ...] = ()
    """Ids of categories of which not all objects are annotated (LVIS alone: `not_exhaustive_category_ids`)."""


class CocoFile(NamedTuple, Generic[Annotation]):
    """What one file holds."""

    path: str
    """Where it is."""
    images: list[CocoImage]
    """Its images, each id once."""
    annotations: list[Annotation]
    """Its annotations as parsed."""
    categories: Any = None
    """Its `categories` as they stand there, unchecked; None where there are none."""


def read_coco_file(path: str, key: str, parse: Callable[[dict[str, Any]], Annotation]) -> CocoFile[Annotation]:
    """Read a file whose top level has `images` and `annotations`.

    Args:
        path: The JSON file.
        key: What only annotations have, and each of them must.
        parse: Called with each annotation at once when it is read, so that its numbers need not stay Python objects,
            of which the largest files make gigabytes. Returns a tuple; raises ValueError for a malformed annotation.

    Returns:
        Images and parsed annotations in the order of the file.

    Raises:
        ValueError: The file cannot be read, is no JSON, or not of this form; the sentence names it.
    """
    try:
        content = json.loads(Path(path).read_bytes(), object_hook=lambda found: parse(found) if key in found else found)
        images, annotations = _images(_list_of(content, "images")), _annotations(content, key)
        return CocoFile(path, images, annotations, content.get("categories"))
    except OSError as error:
        raise ValueError(f"the annotations {path} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not an annotation file in COCO's form: {error}") from error


def list_images(files: Iterable[CocoFile]) -> ListedImages:
    """Put the images of files into one list, in the order of the files.

    Raises:
        ValueError: A name is listed twice.
    """
    rows: dict[str, int] = {}
    sizes_hw: list[tuple[int, int]] = []
    for file in files:
        for image in file.images:
            if image.name in rows:
                raise ValueError(
                    f"{file.path} lists {one_line(image.name)} although it is already listed; list each image once"
                )
            rows[image.name] = len(rows)
            sizes_hw.append((image.height, image.width))
    return ListedImages(rows, np.array(sizes_hw, dtype=np.int32).reshape(-1, 2))


def _annotations(content: Any, key: str) -> list[Any]:
    annotations = _list_of(content, "annotations")
    for annotation in annotations:
        if not isinstance(annotation, tuple):  # JSON itself gives none
            raise ValueError(f"an entry of 'annotations' is no object with {key!r}: {quoted(annotation)}")
    return annotations


def _images(entries: list[Any]) -> list[CocoImage]:
    images: list[CocoImage] = []
    ids: set[int | str] = set()
    for entry in entries:
        image = _image(entry)
        if image.id in ids:
            raise ValueError(f"two images have the id {quoted(image.id)}")
        ids.add(image.id)
        images.append(image)
    return images


def _image(entry: Any) -> CocoImage:
    match entry:
        case {"id": int() | str() as id_, "height": int(height), "width": int(width)}:
            name = _name(entry)
            if name and 1 <= height < 2**31 and 1 <= width < 2**31:
                return CocoImage(
                    id_,
                    name,
                    height,
                    width,
                    _ids(entry, "neg_category_ids"),
                    _ids(entry, "not_exhaustive_category_ids"),
                )
    raise ValueError(
        "an entry of 'images' is no object with an id, a file_name, and a height and width of at least 1: "
        f"{quoted(entry)}"
    )


def _name(entry: dict[str, Any]) -> str | None:
    """The file's path; LVIS has only the address it was once loaded from, which ends in folder and name."""
    match entry:
        case {"file_name": str(name)} if name:
            return check_inside(PurePosixPath(name).as_posix())
        case {"coco_url": str(address)} if "file_name" not in entry and address.count("/") >= 2:
            return check_inside("/".join(address.rsplit("/", 2)[1:]))
    return None


def check_inside(name: str) -> str:
    """Return the path of a file, which stands below a folder that somebody else chose.

    Raises:
        ValueError: It leads out of any folder, no file can have it, or it holds control characters.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"the file name {quoted(name)} leads out of the folder; give paths inside of it")
    try:
        possible = all(len(os.fsencode(part)) <= _LONGEST_PART for part in path.parts) and len(name) <= _LONGEST_PATH
    except UnicodeEncodeError:
        possible = False
    if not possible or "\0" in name:
        raise ValueError(f"no file can have the name {quoted(name)}; correct it")
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        raise ValueError(f"the file name {quoted(name)} holds control characters; rename the file")
    return name


def _ids(entry: dict[str, Any], key: str) -> tuple[int, ...]:
    ids = entry.get(key, [])
    if not isinstance(ids, list) or not all(isinstance(id_, int) for id_ in ids):
        raise ValueError(f"{key} of the image {quoted(entry['id'])} is no list of integers: {quoted(ids)}")
    return tuple(ids)


def _list_of(content: Any, key: str) -> list[Any]:
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise ValueError(f"it has no list {key!r}")
    return entries
