"""What a person sees while a run trains."""

from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
        self._console = Console(quiet=not shown)
        self._bar = Progress(
            MofNCompleteColumn(),
            BarColumn(bar_width=12),  # the figures need the room: a terminal may be 80 columns wide
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self._console,
            disable=not (shown and self._console.is_terminal),
        )
        self._task = self._bar.add_task("", total=num_updates, completed=update, figures="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def print(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def advance(self) -> None:
        """Count one update."""
        self._bar.advance(self._task)

    def show(self, metrics: Metrics) -> None:
        """Show one log step."""
        self._bar.update(self._task, figures=_figures(metrics))
        if not self._console.is_terminal:
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
