"""What one process finds and all must know."""

import signal
from collections.abc import Iterable

from rmae.data.skips import SkipLog, Skipped
from rmae.interruption import StopSignal
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder


class News:
    """What processes find by themselves and all must know: images that cannot be used, and signals.

    Args:
        folder: The run's.
        ranks: The processes that tell each other.
        num_images: Images that the run trains on.
        max_bad_share: Share of them that may be unusable, in [0, 1].
    """

    def __init__(self, folder: RunFolder, ranks: Ranks, *, num_images: int, max_bad_share: float) -> None:
        self._ranks = ranks
        self._found: list[Skipped] = []
        self._skips = SkipLog(
            folder.skipped_images, num_images=num_images, max_bad_share=max_bad_share, writes=ranks.is_first
        )

    @property
    def num_skipped(self) -> int:
        """Images known to all that cannot be used; on the first process those of earlier starts, too."""
        return self._skips.count

    def add(self, skipped: Iterable[Skipped]) -> None:
        """Keep what this process found until it is shared."""
        self._found.extend(skipped)

    def share(self, stop: StopSignal) -> signal.Signals | None:
        """Tell each other; returns the signal that stops the run, the same everywhere, or None.

        Raises:
            ValueError: All processes together found too many images that cannot be used.
        """
        told = self._ranks.gather((self._found, stop.received))
        for found, _ in told:
            self._skips.add(found)
        self._found = []
        self._skips.check()
        return next((received for _, received in told if received is not None), None)
