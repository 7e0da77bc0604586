"""Images that cannot be used, and the list of those of a run."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rmae.files import naming, parse_json
from rmae.quoting import quoted


class Skipped(NamedTuple):
    """An image that could not be used."""

    name: str
    """Path relative to the image root."""
    reason: str
    """Why, in a few words."""


class SkipLog:
    """Lists each unusable image once, on disk, over all the times a run is resumed.

    Args:
        path: The list: one line `{"name": ..., "reason": ...}` for each image.
        num_images: Images that are trained on.
        max_bad_share: Share of them that may be unusable, in [0, 1]; one image may be in any case.
        writes: Whether to read and write the list; of several processes only the first one does.
    """

    def __init__(self, path: Path, *, num_images: int, max_bad_share: float, writes: bool = True):
        self._path = path
        self._num_images = num_images
        self._max_bad_share = max_bad_share
        self._listed: set[str] = set()
        self._reasons: dict[str, str] = {}
        self._writes = writes
        if writes:
            path.touch()
            self._read()

    @property
    def count(self) -> int:
        """Images listed; where the list is read, those of earlier starts too."""
        return len(self._listed)

    def add(self, skipped: Iterable[Skipped]) -> None:
        """List images, those not listed before."""
        for name, reason in skipped:
            self._reasons.setdefault(name, reason)
            if name not in self._listed:
                self._listed.add(name)
                self._append(json.dumps({"name": name, "reason": reason}))

    def check(self) -> None:
        """Raise a ValueError where more images are unusable than allowed.

        Only those found since the start count: the files of an earlier one may have been repaired.
        """
        if len(self._reasons) > max(1, self._max_bad_share * self._num_images):
            name, reason = next(iter(self._reasons.items()))
            raise ValueError(
                f"{len(self._reasons)} of {self._num_images} images cannot be used, more than the allowed share of "
                f"{self._max_bad_share:g} (the first, {name}: {reason}); see {self._path}, then repair the files and "
                "resume, raise --max-bad-share, or remove the files and start anew"
            )

    def _append(self, line: str) -> None:
        if self._writes:
            with naming(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    def _read(self) -> None:
        content = self._path.read_bytes()
        for line in content.splitlines():
            try:
                found = parse_json(line)
            except ValueError:
                continue  # a run that was killed may have left half a line
            match found:
                case {"name": str(name)}:
                    self._listed.add(name)
                case _:
                    raise ValueError(f"{self._path} does not list images that were skipped: {quoted(found)}; delete it")
        if content and not content.endswith(b"\n"):
            self._append("")
