"""What a person sees while a run trains."""

from datetime import timedelta
from types import TracebackType
from typing import Self

from rmae.live_bar import LiveBar
from rmae.training.metrics import Metrics


class ProgressLine:
    """A live bar on a terminal; elsewhere, in a log file say, a plain line at every log step.

    Args:
        num_updates: Length of the run.
        update: Updates done before this start.
        batch_size: Images in an update.
        shown: Whether to show anything; False on all ranks but the first.
    """

    def __init__(self, num_updates: int, update: int, batch_size: int, *, shown: bool) -> None:
        self._num_updates = num_updates
        self._batch_size = batch_size
        # A narrow bar: the figures need the room, a terminal may be 80 columns wide.
        self._bar = LiveBar(num_updates, done=update, width=12, shown=shown)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def print(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.print(text)

    def advance(self) -> None:
        """Count one update."""
        self._bar.advance()

    def show(self, metrics: Metrics) -> None:
        """Show one log step."""
        self._bar.show(_figures(metrics))
        if not self._bar.is_live:
            seconds = round((self._num_updates - metrics.update) * self._batch_size / metrics.images_per_s)
            width = len(str(self._num_updates))
            left = timedelta(seconds=seconds)
            done = f"update {metrics.update:>{width}}/{self._num_updates}"
            self.print(f"{done}  {_figures(metrics)}  lr {metrics.lr:.1e}  {left} left")


def _figures(metrics: Metrics) -> str:
    parts = list(metrics.losses.items())
    if len(parts) > 1:
        parts = parts[1:]  # their sum tells nothing more
    figures = [f"{name.replace('_', ' ')} {value:.4f}" for name, value in parts if value is not None]
    figures.append(f"{metrics.images_per_s:,.0f} images/s")
    if metrics.skipped:
        figures.append(f"{metrics.skipped:,} images skipped")
    return "  ".join(figures)
