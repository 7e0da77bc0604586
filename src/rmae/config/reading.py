"""Reading labelled pictures."""

from dataclasses import dataclass

from rmae.config.checks import check_values, require
from rmae.config.data import DataConfig


@dataclass(frozen=True, kw_only=True)
class ReadingConfig:
    """How labelled pictures are read."""

    num_workers: int | None = None
    """Processes that read pictures; 0 = read in the training process, None = one for each core."""
    max_pixels: int = DataConfig.max_pixels
    """Pictures with more pixels are taken for unreadable."""
    max_bad_share: float = 0.05
    """Training stops when more than this share of its pictures cannot be read, in [0, 1]; one always may be bad."""

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        require(self.max_pixels >= 1, f"max_pixels is {self.max_pixels}; it must be at least 1")
        require(0 <= self.max_bad_share <= 1, f"max_bad_share is {self.max_bad_share}; it must lie in [0, 1]")
        workers = self.num_workers
        require(workers is None or workers >= 0, f"num_workers is {workers}; it must be at least 0, or None")
