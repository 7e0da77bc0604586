"""Pictures that show the same: scaled, saved anew, or mirrored."""

import numpy as np
from PIL import Image

_SIDE = 16
_SAME = (
    4.0  # of 255; pairs of a picture and its mirrored copy differ by less than this, other pictures by twice as much
)


class Likenesses:
    """Remembers pictures by what is left of them when they are made very small."""

    def __init__(self) -> None:
        self._known: list[np.ndarray] = []

    def has_like(self, image: Image.Image) -> bool:
        """Whether a picture shows what one before did, perhaps mirrored; if not, it is remembered.

        All pictures must be of one mode, in which colours are multiplied by alpha if there is any.
        """
        small = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR), dtype=np.float32)
        if self._known:
            known = np.stack(self._known)
            for view in (small, small[:, ::-1]):
                if np.abs(known - view).mean(axis=(1, 2, 3)).min() < _SAME:
                    return True
        self._known.append(small)
        return False
