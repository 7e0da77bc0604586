"""The app as a person uses it: in a real browser, with a model that has learned to outline drawn objects."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from rmae.app.server import RunningApp, start_app

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    ),  # pycocotools
]


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def test_a_click_makes_a_mask_appear_over_the_object(clicks_app: RunningApp, visit, drawn_scenes):
    scene = drawn_scenes[0]
    first, second, *_ = scene.objects
    visitor = visit(clicks_app)
    page = visitor.page
    visitor.open(scene.path)
    before = visitor.colours()

    visitor.click(first.point_xy)
    visitor.settle()

    changed = np.abs(visitor.colours() - before).sum(axis=2) > 24
    assert iou(changed, first.answer) > 0.8
    assert iou(changed, first.mask) > 0.5
    expect(page.locator("#rm-objects")).to_contain_text("covers")

    page.click("#rm-new-object")
    visitor.click(second.point_xy)
    visitor.settle()
    masks = visitor.masks()
    assert len(masks) == 2
    for mask, drawn in zip(masks, (first, second), strict=True):
        x, y = drawn.point_xy
        assert mask[int(y), int(x)]
        assert iou(mask, drawn.mask) > 0.5

    page.click("#rm-undo")
    visitor.settle()
    assert len(visitor.masks()) == 1
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    visitor.settle()
    assert np.abs(visitor.colours() - before).max() < 8
    page.click("#rm-download-coco")
    expect(page.locator("#rm-message-text")).to_have_text("there is no mask yet; click on an object first")


def test_masks_are_downloaded_in_each_form(clicks_app: RunningApp, visit, drawn_scenes):
    scene = drawn_scenes[0]
    visitor = visit(clicks_app)
    visitor.open(scene.path)
    visitor.click(scene.objects[0].point_xy)
    visitor.settle()

    names, contents = zip(*(visitor.download(wanted) for wanted in ("coco", "labels", "cutout")), strict=True)

    assert names == tuple(f"{scene.path.stem}-{end}" for end in ("coco.json", "masks.png", "cutout.png"))
    [mask] = visitor.masks()
    assert json.loads(contents[0])["images"] == [{"id": 1, "file_name": scene.path.name, "height": 64, "width": 64}]
    assert (np.asarray(Image.open(io.BytesIO(contents[1]))) == mask).all()
    assert (np.asarray(Image.open(io.BytesIO(contents[2])))[..., 3] == 255 * mask).all()
    assert iou(mask, scene.objects[0].mask) > 0.5


def test_files_that_are_asked_for_at_once_are_all_saved(clicks_app: RunningApp, visit, drawn_scenes):
    visitor = visit(clicks_app)
    visitor.open(drawn_scenes[0].path)
    visitor.click(drawn_scenes[0].objects[0].point_xy)
    visitor.settle()
    names: list[str] = []
    visitor.page.on("download", lambda download: names.append(download.suggested_filename))

    with visitor.page.expect_event("download", lambda download: download.suggested_filename.endswith("cutout.png")):
        visitor.page.evaluate(
            "for (const file of ['coco', 'labels', 'cutout']) document.querySelector('#rm-download-' + file).click()"
        )

    assert names == [f"{drawn_scenes[0].path.stem}-{end}" for end in ("coco.json", "masks.png", "cutout.png")]


def test_bad_files_give_a_message_and_the_app_lives_on(clicks_app: RunningApp, visit, drawn_scenes):
    scene = drawn_scenes[0]
    visitor = visit(clicks_app)
    message = visitor.page.locator("#rm-message-text")
    visitor.drop("words.png", b"these are words")
    expect(message).to_contain_text("words.png cannot be opened: it is not an image in a form that can be read")

    visitor.open(scene.path)
    expect(visitor.page.locator("#rm-message")).to_be_hidden()
    huge = io.BytesIO()
    Image.new("1", (20_000, 10_000)).save(huge, format="PNG")
    visitor.drop("huge.png", huge.getvalue())
    expect(message).to_have_text("huge.png cannot be opened: it has more than the 20,000,000 pixels allowed")
    visitor.drop("heavy.png", bytes(5_000_001))
    expect(message).to_have_text("heavy.png has 5.0 MB; at most 5 MB are taken.")
    visitor.drop("empty.png", b"")
    expect(message).to_contain_text("empty.png cannot be opened")

    visitor.click(scene.objects[0].point_xy)
    visitor.settle()
    [mask] = visitor.masks()
    assert (mask == scene.objects[0].answer).mean() > 0.98


def test_four_visitors_at_once_do_not_mix(clicks_app: RunningApp, visit, drawn_scenes):
    scenes = drawn_scenes[:4]
    assert len({scene.path for scene in scenes}) == 4
    visitors = [visit(clicks_app) for _ in scenes]
    for visitor, scene in zip(visitors, scenes, strict=True):
        visitor.drop(scene.path.name, scene.path.read_bytes())
    for visitor in visitors:
        visitor.page.wait_for_selector("#rm-panes:not([hidden])")
    for _ in range(3):  # their clicks are under way at the same time
        for visitor, scene in zip(visitors, scenes, strict=True):
            visitor.click(scene.objects[0].point_xy)
            visitor.page.keyboard.press("Control+z")
    for visitor, scene in zip(visitors, scenes, strict=True):
        visitor.click(scene.objects[0].point_xy)

    for visitor, scene in zip(visitors, scenes, strict=True):
        visitor.settle()
        assert json.loads(visitor.download("coco")[1])["images"][0]["file_name"] == scene.path.name
        [mask] = visitor.masks()
        assert (mask == scene.objects[0].answer).mean() > 0.98
        assert iou(mask, scene.objects[0].mask) > 0.5


def test_what_goes_wrong_inside_is_said_and_nothing_is_lost(clicks_model: Path, visit, drawn_scenes):
    def broken(image: np.ndarray, name: str) -> np.ndarray:
        raise RuntimeError("a mistake in a program")

    scene = drawn_scenes[0]
    with start_app(clicks_model, regions=broken, port=0) as app:
        visitor = visit(app)
        visitor.open(scene.path)
        visitor.click(scene.objects[0].point_xy)
        visitor.settle()
        visitor.page.click("#rm-view-regions")
        expect(visitor.page.locator("#rm-message-text")).to_contain_text("something went wrong, and it was not your")
        expect(visitor.page.locator("#rm-view-masks")).to_have_attribute("aria-pressed", "true")
        visitor.page.click("#rm-message-close")
        visitor.page.click("#rm-view-regions")  # the same once more
        expect(visitor.page.locator("#rm-message-text")).to_contain_text("something went wrong, and it was not your")
        visitor.settle()
        [mask] = visitor.masks()
        assert (mask == scene.objects[0].answer).mean() > 0.98


def test_after_the_server_has_ended_the_page_says_so(clicks_model: Path, visit, drawn_scenes, capfd):
    with start_app(clicks_model, port=0) as app:
        visitor = visit(app, may_complain=True)
        visitor.open(drawn_scenes[0].path)
    visitor.click(drawn_scenes[0].objects[0].point_xy)

    expect(visitor.page.locator("#rm-message-text")).to_contain_text(
        "The app does not answer any more.", timeout=15_000
    )
    assert "Traceback" not in capfd.readouterr().err
