"""How sure a mean over objects is, where objects of one picture are alike."""

from typing import NamedTuple

import numpy as np

_RESAMPLES_AT_ONCE = 64  # 64 x 20,000 pictures (LVIS) are 10 MB of weights


class MeanInterval(NamedTuple):
    """Means of k quantities, each with the interval in which it is expected to lie."""

    mean: np.ndarray
    """Shape (k,) float64; NaN where no object has a value."""
    low: np.ndarray
    """Shape (k,) float64; NaN where fewer than two groups have values, for these say nothing of how groups differ."""
    high: np.ndarray
    """The same."""


def bootstrap(
    values: np.ndarray,
    groups: np.ndarray,
    *,
    generator: np.random.Generator,
    num_resamples: int = 2000,
    level: float = 0.95,
) -> MeanInterval:
    """Mean of each quantity with its percentile interval, from drawing whole groups with replacement.

    Objects of one picture are alike, so an interval that took them for independent would be too narrow. Of each
    resample the mean is that over its objects, so that a picture with many of them counts more, as it does in the mean
    itself. All quantities are resampled together.

    Args:
        values: Shape (n,) or (n, k) float; an object whose value is NaN is left out of that quantity.
        groups: Which group, a picture say, each of the n objects belongs to; shape (n,) int.
        generator: Where the randomness comes from.
        num_resamples: How often groups are drawn, at least 1.
        level: Share of resamples whose mean lies in the interval, in (0, 1).

    Returns:
        Arrays of shape (k,), of shape (1,) where there is but one quantity.

    Raises:
        ValueError: The shapes do not belong together, or a number is out of its range.

    Source:
        Davison and Hinkley, "Bootstrap Methods and their Application" (1997), section 3.8: resampling clusters whole.
    """
    columns = values[:, None] if values.ndim == 1 else values
    _check(columns, groups, num_resamples, level)
    defined = ~np.isnan(columns)
    names, places = np.unique(groups, return_inverse=True)
    # Only sums and counts of each group matter.
    sums, counts = np.zeros((len(names), columns.shape[1])), np.zeros((len(names), columns.shape[1]))
    np.add.at(sums, places, np.where(defined, columns, 0.0))
    np.add.at(counts, places, defined)
    mean = _divide(sums.sum(axis=0), counts.sum(axis=0))
    low, high = np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    told = np.count_nonzero(counts, axis=0) >= 2
    if told.any():
        means = _resampled_means(sums[:, told], counts[:, told], generator, num_resamples)  # (num_resamples, k')
        low[told], high[told] = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return MeanInterval(mean, low, high)


def _resampled_means(
    sums: np.ndarray, counts: np.ndarray, generator: np.random.Generator, num_resamples: int
) -> np.ndarray:
    """Means of resamples, shape (num_resamples, k); NaN in those that drew no object with a value."""
    num_groups = len(sums)
    both = np.concatenate([sums, counts], axis=1)  # (G, 2 k)
    means = []
    for start in range(0, num_resamples, _RESAMPLES_AT_ONCE):
        number = min(_RESAMPLES_AT_ONCE, num_resamples - start)
        drawn = generator.integers(num_groups, size=(number, num_groups))
        cells = drawn + num_groups * np.arange(number)[:, None]
        weights = np.bincount(cells.ravel(), minlength=number * num_groups).reshape(number, num_groups)
        drawn_sums, drawn_counts = np.split(weights.astype(np.float64) @ both, 2, axis=1)
        means.append(_divide(drawn_sums, drawn_counts))
    return np.concatenate(means)


def _divide(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def _check(columns: np.ndarray, groups: np.ndarray, num_resamples: int, level: float) -> None:
    if columns.ndim != 2 or groups.shape != (len(columns),):
        raise ValueError(
            f"found values of shape {columns.shape} and groups of shape {groups.shape}; give values (n, k), and to "
            "each of the n its group"
        )
    if num_resamples < 1:
        raise ValueError(f"num_resamples is {num_resamples}; it must be at least 1")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie in (0, 1)")
