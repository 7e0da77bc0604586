"""Every tool and view of the app, in a real browser."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from rmae.app.server import RunningApp

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    ),  # pycocotools
]


@pytest.fixture
def visitor(clicks_app: RunningApp, visit, drawn_scenes):
    """Who has opened the first scene."""
    visitor = visit(clicks_app)
    visitor.open(drawn_scenes[0].path)
    return visitor


def marks(visitor) -> list[dict]:
    """Those of the chosen object, as the server has them."""
    visitor.settle()
    reply = json.loads(visitor.page.evaluate("document.querySelector('#rm-desk').dataset.reply"))
    return reply["objects"][reply["chosen"]]["marks"]


def test_shift_the_right_button_and_beside_mean_beside(visitor):
    visitor.click((10, 20))
    visitor.page.keyboard.down("Shift")
    visitor.click((30, 20))
    visitor.page.keyboard.up("Shift")
    visitor.click((40, 20), button="right")
    visitor.page.click("#rm-sign-negative")
    visitor.click((50, 20))

    found = marks(visitor)

    assert [mark["positive"] for mark in found] == [True, False, False, False]
    for mark, x in zip(found, (10, 30, 40, 50), strict=True):
        assert (mark["x"], mark["y"]) == pytest.approx((x, 20), abs=0.1)


def test_dragging_paints_and_the_brush_has_a_size(visitor):
    visitor.drag((10, 10), (30, 10), (30, 40))
    [stroke] = marks(visitor)
    assert stroke["kind"] == "stroke"
    assert stroke["points"][0] == pytest.approx([10, 10], abs=0.1)
    assert stroke["points"][-1] == pytest.approx([30, 40], abs=0.5)
    assert stroke["positive"]

    visitor.page.click("#rm-tool-brush")
    visitor.page.locator("#rm-brush").fill("60")
    visitor.click((50, 50))
    _, dot = marks(visitor)
    assert (dot["kind"], len(dot["points"])) == ("stroke", 1)
    assert dot["width"] > 3 * stroke["width"]


def test_a_box_is_dragged_from_any_corner(visitor, drawn_scenes):
    rows, columns = np.nonzero(drawn_scenes[0].objects[0].mask)
    left, top, right, bottom = columns.min() + 0.5, rows.min() + 0.5, columns.max() + 0.5, rows.max() + 0.5
    visitor.page.click("#rm-tool-box")
    visitor.drag((right, top), (left, bottom))

    [box] = marks(visitor)

    assert box["xyxy"] == pytest.approx([left, top, right, bottom], abs=0.5)
    assert len(visitor.masks()) == 1


def test_strokes_that_leave_the_picture_end_at_its_border(visitor):
    visitor.drag((10, 10), (-5, 10))

    [stroke] = marks(visitor)

    assert stroke["points"][-1] == pytest.approx([0, 10], abs=0.5)
    expect(visitor.page.locator("#rm-message")).to_be_hidden()


def test_keys_mark_and_take_back(visitor):
    visitor.page.locator("#rm-canvas-0").focus()
    for _ in range(5):
        visitor.page.keyboard.press("ArrowLeft")
    visitor.page.keyboard.press("Enter")
    visitor.page.keyboard.press("Shift+ArrowDown")
    visitor.page.keyboard.press("Shift+Enter")
    found = marks(visitor)
    assert [mark["positive"] for mark in found] == [True, False]
    assert found[0]["x"] == pytest.approx(32 - 5 * 0.02 * 64)
    assert found[1]["y"] == pytest.approx(32 + 0.1 * 64)

    visitor.page.keyboard.press("Control+z")
    assert len(marks(visitor)) == 1
    visitor.page.keyboard.press("n")
    assert marks(visitor) == []


def test_keys_go_on_after_the_panel_was_made_anew(visitor):
    visitor.click((10, 10))
    visitor.page.click("#rm-new-object")
    visitor.click((50, 50))
    visitor.settle()
    visitor.page.locator("#rm-object-0").focus()
    visitor.page.keyboard.press("Enter")
    assert marks(visitor)[0]["x"] == pytest.approx(10, abs=0.1)
    expect(visitor.page.locator("#rm-object-0")).to_be_focused()

    visitor.page.click("#rm-tool-brush")
    visitor.page.locator("#rm-brush").focus()
    visitor.page.keyboard.press("Control+z")
    visitor.settle()
    expect(visitor.page.locator("#rm-objects")).to_contain_text("not marked yet")


def test_another_picture_has_marks_of_its_own_alone(visitor, drawn_scenes):
    held = []
    visitor.page.route("**/queue/join*", lambda route: held.append(route))
    small = io.BytesIO()
    Image.new("RGB", (16, 16)).save(small, format="PNG")
    visitor.drop("small.png", small.getvalue())
    while not held:
        visitor.page.wait_for_timeout(10)
    visitor.click((10, 10))  # on the picture that is still seen
    visitor.page.keyboard.press("ArrowRight")
    held[0].continue_()
    visitor.page.unroute_all(behavior="ignoreErrors")
    expect(visitor.page.locator("#rm-status")).to_contain_text("small.png, 16")
    assert marks(visitor) == []

    visitor.page.locator("#rm-canvas-0").focus()
    visitor.page.keyboard.press("Enter")
    [mark] = marks(visitor)
    assert (mark["x"], mark["y"]) == (8, 8)


def test_objects_are_chosen_and_removed(visitor):
    visitor.click((10, 10))
    visitor.page.click("#rm-new-object")
    visitor.click((50, 50))
    visitor.page.click("#rm-object-0")
    visitor.click((12, 12))
    assert len(marks(visitor)) == 2
    visitor.page.click("#rm-remove-0")
    [mark] = marks(visitor)
    assert mark["x"] == pytest.approx(50, abs=0.1)
    visitor.page.click("#rm-undo")
    visitor.settle()
    expect(visitor.page.locator("#rm-objects li")).to_have_count(2)


def test_marks_are_seen_before_the_answer_comes(visitor):
    before = visitor.colours()
    visitor.page.route("**/queue/join*", lambda route: None)  # the request never arrives

    visitor.click((20, 20))
    visitor.page.wait_for_timeout(100)

    changed = np.abs(visitor.colours() - before).sum(axis=2) > 60
    assert changed[20, 20]
    assert 0 < changed.sum() < 40
    visitor.page.unroute_all(behavior="ignoreErrors")


def test_attention_of_the_clicked_patch_is_shown(visitor):
    page = visitor.page
    visitor.click((10, 10))
    page.click("#rm-view-attention")
    visitor.settle()
    caption = page.locator(".rm-pane:visible figcaption").first
    expect(caption).to_contain_text("layer 2, mean of 4 heads")
    at_first = visitor.colours()

    visitor.click((60, 60))
    visitor.settle()
    elsewhere = visitor.colours()
    page.select_option("#rm-layer", "0")
    page.select_option("#rm-head", "1")
    visitor.settle()
    expect(caption).to_contain_text("layer 0, head 1")

    assert np.abs(elsewhere - at_first).max() > 20
    assert np.abs(visitor.colours() - elsewhere).max() > 20
    assert len(marks(visitor)) == 1


def test_regions_of_the_chosen_source_are_shown(visitor):
    page = visitor.page
    before = visitor.colours()
    page.click("#rm-view-regions")
    caption = page.locator("#rm-regions-caption")
    expect(caption).to_contain_text("region")
    visitor.settle()
    assert np.abs(visitor.colours() - before).max() > 20

    page.select_option("#rm-source", label="grid")
    expect(caption).to_contain_text("16 regions, the median one 6.2")
    visitor.click((10, 10))
    visitor.settle()
    page.click("#rm-view-masks")
    assert marks(visitor) == []


def test_two_models_are_compared(visitor, drawn_scenes):
    page, drawn = visitor.page, drawn_scenes[0].objects[0]
    visitor.click(drawn.point_xy)
    page.check("#rm-compare")
    visitor.settle()
    expect(page.locator("#rm-canvas-1")).to_be_visible()
    expect(page.locator("#rm-objects")).to_contain_text("clicks_model: covers")
    assert np.abs(visitor.colours() - visitor.colours(pane=1)).max() > 20

    page.select_option("#rm-which", label="model")
    [untrained] = visitor.masks()
    page.select_option("#rm-which", label="clicks_model")
    [trained] = visitor.masks()
    assert (trained == drawn.answer).mean() > 0.98
    assert (untrained != trained).any()

    visitor.click((5, 5), pane=1)
    assert len(marks(visitor)) == 2
    page.uncheck("#rm-compare")
    visitor.settle()
    expect(page.locator("#rm-canvas-1")).to_be_hidden()


def test_an_example_is_opened_by_a_click(clicks_app: RunningApp, visit):
    visitor = visit(clicks_app)
    visitor.page.click("#rm-example-0")
    visitor.settle()

    expect(visitor.page.locator("#rm-status")).to_contain_text("chelsea.png, 451 \N{MULTIPLICATION SIGN} 300 pixels")


def test_a_picture_is_chosen_from_the_disk(clicks_app: RunningApp, visit, drawn_scenes):
    visitor = visit(clicks_app)
    visitor.page.set_input_files("#rm-file", drawn_scenes[1].path)

    expect(visitor.page.locator("#rm-status")).to_contain_text(f"{drawn_scenes[1].path.name}, 64")


def test_names_with_markup_are_text(clicks_app: RunningApp, visit, drawn_scenes):
    name = "<img src=x onerror=alert(1)>.png"
    visitor = visit(clicks_app)
    visitor.drop(name, b"no picture")
    expect(visitor.page.locator("#rm-message-text")).to_contain_text(name)

    visitor.drop(name, drawn_scenes[0].path.read_bytes())

    expect(visitor.page.locator("#rm-status")).to_contain_text(f"{name}, 64")
    expect(visitor.page.locator("img[src=x]")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 390, 700, 900])
def test_nothing_is_cut_off_in_a_narrow_window(clicks_app: RunningApp, visit, drawn_scenes, width: int):
    visitor = visit(clicks_app, viewport={"width": width, "height": 800})
    visitor.drop("a" * 150 + ".png", drawn_scenes[0].path.read_bytes())
    visitor.page.wait_for_selector("#rm-panes:not([hidden])")
    for button in ("#rm-tool-brush", "#rm-view-attention", "#rm-compare", "#rm-view-regions"):
        visitor.page.click(button)
        visitor.settle()
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_finger_taps_marks(clicks_app: RunningApp, visit, drawn_scenes):
    visitor = visit(clicks_app, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    visitor.open(drawn_scenes[0].path)
    expect(visitor.page.locator("#rm-hint")).to_contain_text("Tap on an object")

    visitor.page.touchscreen.tap(*visitor.at((20, 30)))

    [mark] = marks(visitor)
    assert (mark["x"], mark["y"]) == pytest.approx((20, 30), abs=0.5)
