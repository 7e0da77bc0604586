"""What a person sees while images are gone through: regions made of them, packed, evaluated."""

import time
from datetime import timedelta
from types import TracebackType
from typing import Self

from rmae.live_bar import LiveBar
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
        self._bar = LiveBar(num_images, done=done, doing=doing, width=24)

    def __enter__(self) -> Self:
        if self._done:
            self._bar.print(f"{self._done:,} of {self._num_images:,} images are done already")
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()
        self._bar.print(self.summary())

    def advance(self) -> None:
        """Count one image."""
        self._done += 1
        self._bar.advance()
        self._bar.show(f"{self._rate():,.1f} images/s")
        now = time.monotonic()
        if not self._bar.is_live and now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            left = timedelta(seconds=round((self._num_images - self._done) / self._rate()))
            self._bar.print(
                f"{self._doing} {self._done:,}/{self._num_images:,}  {self._rate():,.1f} images/s  {left} left"
            )

    def skip(self, name: str, reason: str) -> None:
        """Say that an image cannot be used."""
        self.num_skipped += 1
        self._bar.print(f"skipped {one_line(name)}: {one_line(reason)}")

    def summary(self) -> str:
        """How far it is, in words."""
        skipped = f", {self.num_skipped:,} skipped" if self.num_skipped else ""
        took = timedelta(seconds=round(time.monotonic() - self._started))
        done = f"{self._doing} {self._done - self.num_skipped:,} of {self._num_images:,} images"
        return f"{done}{skipped}, {self._rate():,.1f} images/s, in {took}"

    def _rate(self) -> float:
        """Images a second since the start of this process."""
        return (self._done - self._done_before) / max(time.monotonic() - self._started, 1e-9)
