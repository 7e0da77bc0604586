"""Counting patches. Free of torch, so that configurations can be checked without loading it."""


def grid_shape(img_size: tuple[int, int], patch_size: int) -> tuple[int, int]:
    """Rows and columns of patches in an image.

    Args:
        img_size: Height and width in pixels, each divisible by `patch_size`.
        patch_size: Side of a patch in pixels, P.

    Returns:
        Number of patch rows and of patch columns.
    """
    height, width = img_size
    assert height % patch_size == 0
    assert width % patch_size == 0
    return height // patch_size, width // patch_size


def num_visible_patches(num_patches: int, mask_ratio: float) -> int:
    """Number of patches that stay visible: K = int(L (1 - ratio)).

    Args:
        num_patches: Patches in the image, L.
        mask_ratio: Share of patches to hide, in (0, 1).

    Returns:
        K. The caller makes sure that it is at least 1 and less than L.

    Source:
        facebookresearch/mae, `random_masking`: the product is truncated, not rounded.
    """
    return int(num_patches * (1 - mask_ratio))
