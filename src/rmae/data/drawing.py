"""Drawing a fixed number of regions from label maps."""

import numpy as np


def draw_regions(
    label_maps: np.ndarray,
    *,
    num_regions: int,
    generator: np.random.Generator,
    area: tuple[float, float] = (0.0, 1.0),
    visible: np.ndarray | None = None,
) -> np.ndarray:
    """Draw regions uniformly from every label of every map; only those drawn are made into binary maps.

    Args:
        label_maps: Shape (S, H, W), integers; each label >= 0 of each map is one region, S may be 0.
        num_regions: R, at least 1.
        generator: Where the randomness comes from.
        area: Smallest and largest share of the H x W pixels that a region may cover, in [0, 1].
        visible: Shape (H, W) bool; if given, only regions with at least one pixel there are drawn.

    Returns:
        Shape (R, H, W) bool. Without replacement among the n candidates; with n < R, without replacement from their
        list repeated ceil(R / n) times; all False with n = 0.

    Source:
        R-MAE (arXiv 2306.05411); its reference code for n < R.
    """
    height, width = label_maps.shape[1:]
    drawn = np.zeros((num_regions, height, width), dtype=bool)
    candidates = _candidates(label_maps, area, visible)
    if candidates:
        repeats = -(-num_regions // len(candidates))
        picks = generator.choice(repeats * len(candidates), size=num_regions, replace=False) % len(candidates)
        for region, pick in zip(drawn, picks, strict=True):
            map_index, label = candidates[pick]
            np.equal(label_maps[map_index], label, out=region)
    return drawn


def visible_pixels(ids_shuffle: np.ndarray, num_visible: int, grid: tuple[int, int], patch_size: int) -> np.ndarray:
    """Mark the pixels of visible patches.

    Args:
        ids_shuffle: Shape (L,), a permutation of the patches in raster order; the first ones are visible.
        num_visible: K, number of visible patches.
        grid: Rows and columns of patches; their product is L.
        patch_size: Side of a patch in pixels.

    Returns:
        Shape (rows * patch_size, columns * patch_size) bool, True where the patch is visible.
    """
    patches = np.zeros(grid, dtype=bool)
    patches.flat[ids_shuffle[:num_visible]] = True
    return patches.repeat(patch_size, axis=0).repeat(patch_size, axis=1)


def _candidates(label_maps: np.ndarray, area: tuple[float, float], visible: np.ndarray | None) -> list[tuple[int, int]]:
    """Map and label of each region that may be drawn, in the order of the maps and labels."""
    found = []
    for map_index, label_map in enumerate(label_maps):
        labels, num_pixels = _count_labels(label_map)
        shares = num_pixels / label_map.size
        allowed = (labels >= 0) & (shares >= area[0]) & (shares <= area[1])
        if visible is not None:
            allowed &= np.isin(labels, _count_labels(label_map[visible])[0])
        found += [(map_index, int(label)) for label in labels[allowed]]
    return found


def _count_labels(label_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels that occur, ascending, and the number of pixels of each."""
    flat = label_map.ravel()
    if flat.size == 0 or flat.min() < -1 or flat.max() > 4 * flat.size:
        return np.unique(flat, return_counts=True)  # sorts: slower, but not at the mercy of large labels
    counts = np.bincount(flat.astype(np.intp) + 1)
    (present,) = np.nonzero(counts)
    return present - 1, counts[present]
