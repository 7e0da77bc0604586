"""What one process finds and all must know."""

import signal
from collections.abc import Iterable

from rmae.config import PretrainConfig
from rmae.data.image_set import ImageSet
from rmae.data.skips import SkipLog, Skipped
from rmae.interruption import StopSignal
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder


class News:
    """What processes find by themselves and all must know: images that cannot be used, and signals.

    Args:
        config: The run.
        images: What it trains on.
        folder: The run's.
        ranks: The processes that tell each other.
    """

    def __init__(self, config: PretrainConfig, images: ImageSet, folder: RunFolder, ranks: Ranks) -> None:
        self._ranks = ranks
        self._found: list[Skipped] = []
        self._skips = SkipLog(
            folder.skipped_images,
            num_images=len(images.names),
            max_bad_share=config.data.max_bad_share,
            writes=ranks.is_first,
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
