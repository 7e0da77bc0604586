"""The list of images that a run could not use."""

import json
from collections.abc import Iterable
from pathlib import Path

from rmae.data.samples import Skipped

SKIPS_FILE = "skipped_images.jsonl"
"""Name of the list in a run directory: one line `{"name": ..., "reason": ...}` for each image."""


class SkipLog:
    """Lists each unusable image once, on disk, over all the times a run is resumed.

    Args:
        run_folder: The run directory; must exist.
        num_images: Images that are trained on.
        max_bad_share: Share of them that may be unusable, in [0, 1].
    """

    def __init__(self, run_folder: Path, *, num_images: int, max_bad_share: float):
        self._path = run_folder / SKIPS_FILE
        self._num_images = num_images
        self._max_bad_share = max_bad_share
        self._reasons: dict[str, str] = {}
        if self._path.exists():
            self._read()
        else:
            self._path.touch()

    @property
    def count(self) -> int:
        """Images listed."""
        return len(self._reasons)

    def add(self, skipped: Iterable[Skipped]) -> None:
        """List images, those not listed before."""
        lines = []
        for name, reason in skipped:
            if name not in self._reasons:
                self._reasons[name] = reason
                lines.append(json.dumps({"name": name, "reason": reason}) + "\n")
        if lines:
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(lines)

    def check(self) -> None:
        """Raise a ValueError where more images are unusable than allowed."""
        if self.count > self._max_bad_share * self._num_images:
            name, reason = next(iter(self._reasons.items()))
            raise ValueError(
                f"{self.count} of {self._num_images} images cannot be used, more than the allowed share of "
                f"{self._max_bad_share:g} (the first, {name}: {reason}); see {self._path}, then repair or remove them, "
                "or raise max_bad_share"
            )

    def _read(self) -> None:
        text = self._path.read_text(encoding="utf-8")
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # a run that was killed may have left half a line
            self._reasons.setdefault(entry["name"], entry["reason"])
        if text and not text.endswith("\n"):
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n")
