"""Pictures of one shape each, in ImageNet's layout: a folder a class."""

from pathlib import Path

from rmae.scenes.coco_part import save_picture
from rmae.scenes.new_folder import new_folder
from rmae.scenes.scene import draw_single
from rmae.scenes.scene_set import SPLITS, SceneSet
from rmae.scenes.shapes import SHAPES


def make_class_scenes(
    out: str | Path,
    *,
    num_train: int = 400,
    num_val: int = 100,
    size_hw: tuple[int, int] = (64, 64),
    seed: int = 0,
    by_shape_alone: bool = False,
) -> Path:
    """Draw pictures of a disc, a square or a triangle over a textured ground, and write them in ImageNet's layout.

    A picture depends on size, seed, split and index alone, and the same arguments give the same bytes.

    Args:
        out: Folder to write, new or empty. It gets `train/CLASS/*.png` and `val/CLASS/*.png`, where a class is `disc`,
            `square` or `triangle`, each in turn. It appears when all of it is written.
        num_train: Pictures to train on, of all classes together, 3 to 1,000,000.
        num_val: Pictures to validate on, of all classes together, 3 to 1,000,000.
        size_hw: Height and width in pixels, at least 32 each.
        seed: At least 0.
        by_shape_alone: Whether colours do not depend on the class. Otherwise discs are reddish, squares bluish and
            triangles greenish, as things of a kind often look alike; that is learned much faster.

    Returns:
        The folder, as an absolute path.

    Raises:
        ValueError: A number is out of its range, or the folder is a file or not empty.

    Example:
        >>> import rmae
        >>> rmae.make_class_scenes("shape-classes", num_train=60, num_val=15)  # doctest: +SKIP
    """
    scenes = SceneSet(num_train=num_train, num_val=num_val, size_hw=size_hw, seed=seed, by_shape_alone=by_shape_alone)
    scenes.check_classes(len(SHAPES))
    out = Path(out).resolve()
    with new_folder(out) as folder:
        for split in SPLITS:
            for name in SHAPES:
                (folder / split / name).mkdir(parents=True)
            for index in range(scenes.num(split)):
                name = SHAPES[index % len(SHAPES)]
                scene = draw_single(
                    name, scenes.size_hw, scenes.generator(split, index), by_shape_alone=scenes.by_shape_alone
                )
                path = folder / split / name / f"{scenes.number(split, index):012d}.png"
                save_picture(scene.image, path)
    return out
