import io
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from faster_coco_eval import COCO
from PIL import Image
from pycocotools import mask as coco_mask

from rmae.app.downloads import make_file
from rmae.app.marks import Box, Point
from rmae.app.opened_model import OpenedModel
from rmae.app.picture import open_picture
from rmae.app.session import Session, with_picture
from rmae.visual.mask_pictures import mask_colour

HW = (45, 70)
MARKS = ((Point(x=10, y=10, positive=True),), (), (Box(xyxy=(30, 5, 60, 40)), Point(x=45, y=20, positive=True)))


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*HW, 3), dtype=np.uint8)


@pytest.fixture
def session(pixels: np.ndarray, models: tuple[OpenedModel, ...]) -> Session:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    picture = open_picture("my picture.png", file.getvalue(), models, number=1, max_pixels=10_000)
    return replace(with_picture(Session(), picture), objects=MARKS, chosen=2)


def masks_of(session: Session, models: tuple[OpenedModel, ...], number: int = 0) -> list[np.ndarray]:
    """At the picture's own size, of the objects that have marks."""
    found = [models[number].outline(session.opened().sights[number], marks, HW) for marks in MARKS]
    return [each.mask for each in found if each is not None]


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_labels_are_the_numbers_of_the_objects(session: Session, models: tuple[OpenedModel, ...]):
    file = make_file(session, "labels", models[0], 0)
    first, second = masks_of(session, models)

    picture = opened(file.content)
    labels = np.asarray(picture)

    assert (file.name, file.media_type) == ("my picture-masks.png", "image/png")
    assert picture.mode == "P"
    assert (labels == np.where(second, 2, first)).all()
    palette = picture.getpalette()
    assert palette is not None
    assert tuple(palette[3:9]) == (*mask_colour(0), *mask_colour(2))  # as on the page, where the second one is empty


def test_the_cutout_is_the_picture_inside_the_objects_and_nothing_outside(
    session: Session, models: tuple[OpenedModel, ...], pixels: np.ndarray
):
    file = make_file(session, "cutout", models[0], 0)
    inside = np.logical_or.reduce(masks_of(session, models))

    cutout = np.asarray(opened(file.content))

    assert file.name == "my picture-cutout.png"
    assert (cutout[..., 3] == 255 * inside).all()
    assert (cutout[inside][:, :3] == pixels[inside]).all()
    assert not cutout[~inside].any()


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")  # pycocotools
def test_the_coco_file_holds_masks_boxes_and_areas(session: Session, models: tuple[OpenedModel, ...], tmp_path):
    file = make_file(session, "coco", models[0], 0)
    masks = masks_of(session, models)

    found = json.loads(file.content)

    assert (file.name, file.media_type) == ("my picture-coco.json", "application/json")
    assert found["images"] == [{"id": 1, "file_name": "my picture.png", "height": 45, "width": 70}]
    assert len(found["annotations"]) == 2
    for annotation, mask in zip(found["annotations"], masks, strict=True):
        assert (coco_mask.decode(annotation["segmentation"]).astype(bool) == mask).all()
        rows, columns = np.nonzero(mask)
        left, top, width, height = annotation["bbox"]
        assert (left, top, left + width, top + height) == (
            columns.min(), rows.min(), columns.max() + 1, rows.max() + 1,
        )  # fmt: skip
        assert annotation["area"] == mask.sum()
        assert annotation["iscrowd"] == 0
        assert 0 <= annotation["score"] <= 1
    path = tmp_path / "coco.json"
    path.write_bytes(file.content)
    coco = COCO(str(path), print_function=lambda _: None)
    assert len(coco.getAnnIds(imgIds=[1])) == 2


def test_masks_are_those_of_the_model_that_is_asked_for(session: Session, models: tuple[OpenedModel, ...]):
    first, second = (json.loads(make_file(session, "coco", models[i], i).content) for i in (0, 1))

    assert second["info"]["description"] == "masks from clicks, by second"
    assert first["annotations"] != second["annotations"]


@pytest.mark.parametrize("wanted", ["labels", "cutout", "coco"])
def test_masks_are_not_all_held_at_once(models: tuple[OpenedModel, ...], wanted):
    file = io.BytesIO()
    Image.new("RGB", (800, 800)).save(file, format="PNG")
    picture = open_picture("large.png", file.getvalue(), models, number=1, max_pixels=10**6)

    def peak(num_objects: int) -> int:
        marks = tuple((Point(x=100 + 40 * i, y=300, positive=True),) for i in range(num_objects))
        tracemalloc.start()
        make_file(replace(with_picture(Session(), picture), objects=marks), wanted, models[0], 0)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(2)  # what is made once and kept
    assert peak(12) < peak(2) + 4 * 800 * 800  # a mask has 800 x 800 bytes


@pytest.mark.parametrize("wanted", ["labels", "cutout", "coco"])
def test_without_a_mask_there_is_no_file(session: Session, models: tuple[OpenedModel, ...], wanted):
    unmarked = replace(session, objects=((), (Point(x=1, y=1, positive=False),)))

    with pytest.raises(ValueError, match=r"^there is no mask yet; click on an object first$"):
        make_file(unmarked, wanted, models[0], 0)
