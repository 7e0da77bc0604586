"""Features of patches as colours: their three main directions as red, green and blue."""

from typing import NamedTuple

import numpy as np

_NUM_COLOURS = 3
_CUT_OFF = 1.0  # percent of the patches at either end of a direction that get its last colour: a few lie far out
_NOTHING = 1e-6  # of the largest spread: below it, differences are rounding


class FeatureColours(NamedTuple):
    """Features as colours."""

    colours: np.ndarray
    """Shape (N, h, w, 3) uint8."""
    shares: tuple[float, float, float]
    """Share of the features' variance that lies along each of the three directions, in [0, 1]."""


def colour_features(features: np.ndarray) -> FeatureColours:
    """Choose a colour for each patch, so that patches with like features look alike.

    Red, green and blue are the first three principal components of all patches of all pictures together, so one colour
    means the same in all of them. Another encoder has other directions, and so colours of its own.

    Args:
        features: Of one encoder, shape (N, h, w, D) float: N pictures of h x w patches.

    Returns:
        The colours. They do not depend on the sign or length of the components as computed: the same features give the
        same colours. Where features differ in fewer than three directions, the other colours are at their middle.

    Raises:
        ValueError: A feature is not finite.
    """
    if not np.isfinite(features).all():
        raise ValueError("features are not finite; look for NaN in the weights or in the pictures")
    vectors = features.reshape(-1, features.shape[-1]).astype(np.float64)
    vectors = vectors - vectors.mean(axis=0)
    variances, directions = np.linalg.eigh(vectors.T @ vectors)  # ascending; one direction a column
    total = float(variances.clip(0).sum())
    colours = np.full((len(vectors), _NUM_COLOURS), 0.5)
    shares = [0.0] * _NUM_COLOURS
    for colour in range(min(_NUM_COLOURS, len(variances))):
        variance, direction = float(variances[-1 - colour]), directions[:, -1 - colour]
        if variance <= _NOTHING**2 * max(float(variances[-1]), np.finfo(np.float64).tiny):
            break
        shares[colour] = variance / total
        # A direction and its opposite are equally good; its largest entry shall be positive.
        along = vectors @ (direction * np.sign(direction[np.abs(direction).argmax()]))
        colours[:, colour] = _stretch(along)
    pixels = np.rint(255 * colours).astype(np.uint8).reshape(*features.shape[:-1], _NUM_COLOURS)
    return FeatureColours(pixels, (shares[0], shares[1], shares[2]))


def _stretch(values: np.ndarray) -> np.ndarray:
    """Values as shares in [0, 1] of the way from low to high, leaving aside what lies far out."""
    low, high = np.percentile(values, [_CUT_OFF, 100 - _CUT_OFF])
    if high <= low:  # all but a few patches are alike
        low, high = values.min(), values.max()
    return np.clip((values - low) / (high - low), 0, 1)
