"""What a person sees while images are gone through: regions made of them, packed, evaluated."""

import time
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rmae.quoting import one_line

_SECONDS_BETWEEN_LINES = 10.0


class ImageProgress:
    """A live bar on a terminal; elsewhere, in a log file say, a plain line every ten seconds.

    Args:
        num_images: Images in all.
        done: Images that were done before.
        doing: What is done to images, in words that stand before their number.
    """

    def __init__(self, num_images: int, *, done: int, doing: str) -> None:
        self.num_skipped = 0
        self._doing = doing
        self._num_images, self._done, self._done_before = num_images, done, done
        self._started = self._last_line = time.monotonic()
        self._console = Console()
        self._bar = Progress(
            TextColumn(doing),
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=num_images, completed=done, figures="")

    def __enter__(self) -> Self:
        if self._done:
            self._print(f"{self._done:,} of {self._num_images:,} images are done already")
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()
        self._print(self.summary())

    def advance(self) -> None:
        """Count one image."""
        self._done += 1
        self._bar.update(self._task, completed=self._done, figures=f"{self._rate():,.1f} images/s")
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            left = timedelta(seconds=round((self._num_images - self._done) / self._rate()))
            self._print(f"{self._doing} {self._done:,}/{self._num_images:,}  {self._rate():,.1f} images/s  {left} left")

    def skip(self, name: str, reason: str) -> None:
        """Say that an image cannot be used."""
        self.num_skipped += 1
        self._print(f"skipped {one_line(name)}: {one_line(reason)}")

    def summary(self) -> str:
        """How far it is, in words."""
        skipped = f", {self.num_skipped:,} skipped" if self.num_skipped else ""
        took = timedelta(seconds=round(time.monotonic() - self._started))
        done = f"{self._doing} {self._done - self.num_skipped:,} of {self._num_images:,} images"
        return f"{done}{skipped}, {self._rate():,.1f} images/s, in {took}"

    def _rate(self) -> float:
        """Images a second since the start of this process."""
        return (self._done - self._done_before) / max(time.monotonic() - self._started, 1e-9)

    def _print(self, text: str) -> None:
        # Names of files may hold what an output does not.
        text = text.encode(self._console.encoding, "backslashreplace").decode(self._console.encoding)
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
