"""Pictures of rare categories, shown more often."""

import numpy as np

from rmae.evaluation.objects.annotations import ObjectTable

_REPETITION = 3  # first number of a spawn key; others are in data/


def repeat_factors(objects: ObjectTable, rows: np.ndarray, threshold: float) -> np.ndarray:
    """How often each picture is to come in an epoch.

    A category that is in a share f of the pictures has the factor max(1, sqrt(threshold / f)); a picture has the
    largest factor of its categories.

    Args:
        objects: Of N pictures.
        rows: Pictures that are trained on, shape (n,) int64.
        threshold: Share in (0, 1] below which categories are rare.

    Returns:
        Shape (n,) float64, at least 1.

    Source:
        LVIS (arXiv 1908.03195), section 4, repeat factor sampling; shares are of the pictures that are trained on.
    """
    first = objects.table.first_instances
    counted = objects.is_counted()
    pictures = np.repeat(np.arange(len(first) - 1), np.diff(first))[counted]
    labels = objects.labels[counted]
    pairs = np.unique(np.stack([pictures, labels], axis=1), axis=0)  # (n, 2): each category of a picture once
    pairs = pairs[np.isin(pairs[:, 0], rows)]
    shares = np.bincount(pairs[:, 1]) / len(rows)
    with np.errstate(divide="ignore"):
        of_category = np.maximum(1.0, np.sqrt(threshold / shares))
    of_picture = np.ones(len(first) - 1)
    np.maximum.at(of_picture, pairs[:, 0], of_category[pairs[:, 1]])
    return of_picture[rows]


class Repetition:
    """Which picture each sample of an epoch is made of, where pictures come as often as their factors say.

    Pictures lie one after another on a ring, each as long as its factor; the samples of an epoch stand on it at a
    distance of 1, from a place on that is drawn anew for every epoch. So a picture with the factor 2.3 comes two or
    three times, 2.3 times on average, and an epoch has the same number of samples as any other: the whole part of the
    sum of the factors. Where the ring closes, a gap of less than 2 is left: there one picture may come once less.

    Args:
        factors: Shape (n,) float64, each at least 1.
        seed: Seed of the run, >= 0.
    """

    def __init__(self, factors: np.ndarray, *, seed: int) -> None:
        self._ends = np.cumsum(factors)
        self._seed = seed
        self.most_copies = int(np.ceil(factors.max()))
        """How often a picture comes in an epoch at most."""

    def __len__(self) -> int:
        """Samples in an epoch."""
        return int(self._ends[-1])

    def place(self, epoch: int, index: int) -> tuple[int, int]:
        """Which picture a sample is made of, and how many samples of the epoch before it are, too.

        Args:
            epoch: Passes over the data before this one, >= 0.
            index: Which sample of the epoch, in [0, len).

        Returns:
            Picture in [0, n), and copy in [0, most_copies).
        """
        length = self._ends[-1]
        generator = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(_REPETITION, epoch)))
        start = generator.uniform(0, length)
        place = (start + index) % length
        picture = min(int(np.searchsorted(self._ends, place, side="right")), len(self._ends) - 1)
        before = self._ends[picture - 1] if picture else 0.0
        return picture, min(int(place - before), self.most_copies - 1)
