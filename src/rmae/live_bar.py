"""What a person sees while long work goes on: a bar on a terminal, lines elsewhere."""

import os
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Go on unheard: whoever read the output has gone, `tee` say, and the work is worth more than its words."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class LiveBar:
    """A bar at the foot of a terminal, with figures and the time that is left; no bar elsewhere, in a log file say.

    Args:
        total: Steps in all.
        done: Steps that were done before.
        doing: What is done, in words that stand before the number of steps; may be empty.
        width: Letters of the bar itself.
        shown: Whether to show anything, lines too.
    """

    def __init__(self, total: int, *, done: int, doing: str = "", width: int, shown: bool = True) -> None:
        self._console = _Console(quiet=not shown)
        self.is_live = shown and self._console.is_terminal
        """Whether there is a bar."""
        self._bar = Progress(
            *([TextColumn(doing)] if doing else []),
            MofNCompleteColumn(),
            BarColumn(bar_width=width),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self._console,
            disable=not self.is_live,
        )
        self._task = self._bar.add_task("", total=total, completed=done, figures="")

    def start(self) -> None:
        """Show the bar."""
        self._bar.start()

    def stop(self) -> None:
        """Leave the bar as it is; what is printed then stands below it."""
        self._bar.stop()

    def advance(self) -> None:
        """Count one step."""
        self._bar.advance(self._task)

    def show(self, figures: str) -> None:
        """Show figures beside the bar, until others are shown."""
        self._bar.update(self._task, figures=figures)

    def print(self, text: str) -> None:
        """Print a line, above the bar where there is one; letters that the output does not have are escaped."""
        text = text.encode(self._console.encoding, "backslashreplace").decode(self._console.encoding)
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
