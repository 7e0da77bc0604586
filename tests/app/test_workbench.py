import base64
import io
import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from encoded_pictures import encode
from rmae.app.answers import NamedRegions
from rmae.app.opened_model import OpenedModel
from rmae.app.session import Session
from rmae.app.workbench import Limits, Workbench
from rmae.regions.grid import Grid
from rmae.visual.figure_words import rough_percent

SMALL = Limits(max_pixels=100_000, max_upload=200_000)


def noise(height: int, width: int, *more: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, *more), dtype=np.uint8)


def opening(encoded: bytes, name: str = "noise.png") -> dict:
    return {"kind": "open_file", "name": name, "encoded": base64.b64encode(encoded).decode()}


def act(workbench: Workbench, session: Session, *actions: dict, has_picture: int = 0) -> tuple[Session, dict]:
    """Do things; the reply holds what JSON allows alone."""
    request = {"number": 5, "has_picture": has_picture, "actions": list(actions)}
    session, reply = workbench.answer(session, request)
    found = json.loads(reply, parse_constant=pytest.fail)
    assert found["number"] == 5
    return session, found


@pytest.fixture
def opened(workbench: Workbench) -> Session:
    session, reply = act(workbench, Session(), opening(encode(noise(40, 60, 3))))
    assert reply["message"] is None
    return session


POINT = {"kind": "point", "x": 20, "y": 10, "positive": True}
FAR = {"kind": "point", "x": 60, "y": 10, "positive": True}


def decode(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_a_picture_is_shown_and_a_click_is_answered_with_a_mask(workbench: Workbench):
    session, reply = act(workbench, Session(), opening(encode(noise(40, 60, 3))))
    picture = reply["picture"]
    assert (picture["name"], picture["width"], picture["height"], picture["number"]) == ("noise.png", 60, 40, 1)
    assert decode(picture["uri"]).shape == (320, 480, 3)
    assert reply["panes"] == [{"name": "first", "overlay": None, "layer": None, "caption": ""}]

    session, reply = act(workbench, session, POINT, has_picture=1)

    assert reply["picture"]["uri"] is None
    assert reply["objects"][0]["marks"] == [POINT]
    mask = session.masks[0, session.objects[0]]
    assert mask is not None
    overlay = decode(reply["panes"][0]["overlay"])
    assert overlay.shape == (320, 480, 4)
    assert ((overlay[..., 3] > 0) >= mask.pixels((320, 480))).all()
    [fact] = reply["objects"][0]["facts"]
    assert fact.replace("\N{NO-BREAK SPACE}", " ") == (
        f"covers {rough_percent(mask.share)}, IoU about {mask.confidence:.2f}".replace("\N{NO-BREAK SPACE}", " ")
    )


def test_the_mask_that_is_shown_is_the_one_of_the_model(workbench: Workbench, opened: Session):
    session, _ = act(workbench, opened, POINT)
    model, picture = workbench.models[0], session.opened()

    own = model.outline(picture.sights[0], session.objects[0], picture.size_hw)

    assert own is not None
    shown = session.masks[0, session.objects[0]]
    assert shown is not None
    height, width = picture.shown_hw
    small = shown.pixels((height, width))[4::8, 4::8]  # shown eight times as large
    assert (small == own.mask).mean() > 0.95
    assert shown.confidence == pytest.approx(own.confidence, abs=0.02)


def test_masks_come_with_every_action_and_go_with_undo(workbench: Workbench, opened: Session):
    session, reply = act(workbench, opened, POINT, {"kind": "new_object"}, POINT | {"x": 40})
    assert [len(found["marks"]) for found in reply["objects"]] == [1, 1]
    assert reply["chosen"] == 1
    assert reply["can_undo"]

    session, reply = act(workbench, session, {"kind": "undo"})
    assert [len(found["marks"]) for found in reply["objects"]] == [1, 0]
    assert reply["objects"][1]["facts"] == ["not marked yet"]
    session, reply = act(workbench, session, {"kind": "undo"}, {"kind": "undo"})
    assert reply["panes"][0]["overlay"] is None
    assert not reply["can_undo"]


def test_marks_beside_the_object_alone_ask_for_more(workbench: Workbench, opened: Session):
    _, reply = act(workbench, opened, POINT | {"positive": False})

    assert reply["message"] is None
    assert reply["objects"][0]["facts"] == ["mark the object itself, too"]


def test_what_is_refused_leaves_everything_as_it_was(workbench: Workbench, opened: Session):
    before, _ = act(workbench, opened, POINT)

    for action in (FAR, {"kind": "nonsense"}, POINT | {"x": math.nan}, opening(b"not a picture"), {"kind": "compare"}):
        session, reply = act(workbench, before, action)
        assert reply["message"]
        assert session.objects == before.objects
        assert session.picture is before.picture


def test_what_came_before_a_refusal_is_done(workbench: Workbench, opened: Session):
    session, reply = act(workbench, opened, POINT, FAR, POINT)

    assert reply["message"] == "a mark lies beside the picture of 60 x 40 pixels; mark inside of it"
    assert [len(marks) for marks in session.objects] == [1]


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"just words", "it is not an image in a form that can be read"),
        (b"", "it is not an image"),
        (encode(noise(40, 60, 3))[:300], "it cannot be decoded"),
        (encode(noise(400, 300)), "it has 300 x 400 = 120,000 pixels, more than the 100,000 allowed"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(workbench: Workbench, encoded: bytes, reason: str):
    _, reply = act(workbench, Session(), opening(encoded, "<b>mine.png"))

    assert reply["message"].startswith(f"<b>mine.png cannot be opened: {reason}")
    assert "max_pixels" not in reply["message"]
    assert reply["picture"] is None


def test_a_file_that_is_too_large_is_refused_unread(workbench: Workbench):
    _, reply = act(workbench, Session(), opening(b"x" * 200_001))

    assert reply["message"] == "noise.png has 0.2 MB; at most 0.2 MB are taken"


@pytest.mark.parametrize(
    ("encoded", "size_wh"),
    [
        (encode(noise(40, 60)), (60, 40)),  # grey
        (encode(noise(40, 60, 4)), (60, 40)),  # with alpha
        (encode(noise(40, 60).astype(np.uint16) * 257), (60, 40)),  # 16-bit grey
        (
            encode(noise(40, 60, 3), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"),
            (40, 60),
        ),
        (encode(noise(1, 1, 3)), (1, 1)),
        (encode(noise(2, 900, 3)), (900, 2)),
    ],
    ids=["grey", "alpha", "16 bits", "turned", "one pixel", "a line"],
)
def test_pictures_of_all_kinds_are_marked(workbench: Workbench, encoded: bytes, size_wh: tuple[int, int]):
    session, reply = act(workbench, Session(), opening(encoded), POINT | {"x": 0.5, "y": 0.5})

    assert reply["message"] is None
    assert (reply["picture"]["width"], reply["picture"]["height"]) == size_wh
    session, reply = act(workbench, session, {"kind": "show", "view": "attention"}, {"kind": "compare", "on": True})
    assert reply["message"] is None
    session, reply = act(workbench, session, {"kind": "show", "view": "regions"})
    assert reply["message"] is None


@pytest.mark.parametrize("channels", [1, 4])
def test_models_of_other_channels_take_pictures(channels: int, random_model):
    model = OpenedModel(random_model(channels=channels), "grey or more")
    workbench = Workbench([model], sources=[NamedRegions("grid", Grid())], examples=[], limits=SMALL)

    session, reply = act(workbench, Session(), opening(encode(noise(40, 60, 3))), POINT)

    assert reply["message"] is None
    assert session.masks[0, session.objects[0]] is not None


def test_examples_can_be_opened(workbench: Workbench):
    _, reply = act(workbench, Session(), {"kind": "open_example", "number": 0})
    assert reply["picture"]["name"] == "a_picture.png"

    _, reply = act(workbench, Session(), {"kind": "open_example", "number": 1})
    assert reply["message"] == "there is no example 2; there are 1 to 1"


def test_two_models_answer_the_same_marks(workbench: Workbench, opened: Session):
    session, reply = act(workbench, opened, POINT, {"kind": "compare", "on": True})

    assert [pane["name"] for pane in reply["panes"]] == ["first", "second"]
    assert {model for model, _ in session.masks} == {0, 1}
    first, second = (session.masks[model, session.objects[0]] for model in (0, 1))
    assert first is not None
    assert second is not None
    assert (first.bits != second.bits).any()
    assert [fact.partition(":")[0] for fact in reply["objects"][0]["facts"]] == ["first", "second"]
    session, reply = act(workbench, session, {"kind": "compare", "on": False})
    assert len(reply["panes"]) == 1


def test_one_model_cannot_be_compared(workbench: Workbench, opened: Session):
    alone = Workbench(workbench.models[:1], sources=workbench.sources, examples=[], limits=SMALL)

    _, reply = act(alone, replace(opened), {"kind": "compare", "on": True})

    assert "--against" in reply["message"]
    assert not reply["compare"]


def test_attention_is_that_of_the_patch_at_the_place(workbench: Workbench, opened: Session):
    session, reply = act(workbench, opened, {"kind": "show", "view": "attention"}, {"kind": "ask", "x": 1, "y": 39})

    [pane] = reply["panes"]
    assert reply["attention"] == {
        "layer": 1, "head": None, "num_layers": 2, "num_heads": 4, "grid": [4, 4], "patch": [3, 0],
    }  # fmt: skip
    assert pane["grid"] == [4, 4]
    assert pane["patch"] == [3, 0]
    assert pane["caption"].startswith("layer 1, mean of 4 heads; ")
    assert decode(pane["layer"]).shape == (320, 480, 3)
    assert pane["overlay"] is None

    _, other = act(workbench, session, {"kind": "attend", "layer": 0, "head": 3})
    assert other["panes"][0]["caption"].startswith("layer 0, head 3; ")
    assert other["panes"][0]["layer"] != pane["layer"]


def test_a_model_with_fewer_layers_shows_its_last(workbench: Workbench, opened: Session):
    _, reply = act(workbench, opened, {"kind": "show", "view": "attention"}, {"kind": "compare", "on": True})

    assert reply["panes"][1]["caption"].startswith("layer 0, ")


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ({"kind": "attend", "layer": 2, "head": None}, "there is no layer 2; there are 0 to 1"),
        ({"kind": "attend", "layer": 0, "head": 4}, "there is no head 4; there are 0 to 3"),
        ({"kind": "show_regions", "source": 2, "label_map": None}, "there is no source of regions 3; there are 1 to 2"),
        ({"kind": "download", "wanted": "coco", "model": 2}, "there is no model 3; there are 1 to 2"),
        ({"kind": "choose_object", "number": 5}, "there is no object 6; there are 1"),
    ],
)
def test_what_is_not_there_cannot_be_chosen(workbench: Workbench, opened: Session, action: dict, sentence: str):
    _, reply = act(workbench, opened, action)

    assert reply["message"] == sentence


def test_regions_are_those_of_the_chosen_source(workbench: Workbench, opened: Session):
    session, reply = act(workbench, opened, {"kind": "show", "view": "regions"})
    assert reply["regions"] == {
        "sources": ["grid", "felzenszwalb"], "source": 0, "label_map": None, "num_maps": 1,
        "caption": f"6 regions, the median one {rough_percent(1 / 6)} of the picture",
    }  # fmt: skip
    assert decode(reply["panes"][0]["layer"]).shape == (320, 480, 3)

    session, reply = act(workbench, session, {"kind": "show_regions", "source": 1, "label_map": 1})
    assert (reply["regions"]["num_maps"], reply["regions"]["label_map"]) == (2, 1)
    session, reply = act(workbench, session, {"kind": "show_regions", "source": 0, "label_map": 1})
    assert (reply["regions"]["num_maps"], reply["regions"]["label_map"]) == (1, None)


def test_a_map_that_is_not_there_is_all_maps(workbench: Workbench, opened: Session):
    session, _ = act(workbench, opened, {"kind": "show", "view": "regions"})

    for view in ("masks", "regions"):
        choice = {"kind": "show_regions", "source": 0, "label_map": 999}
        session, reply = act(workbench, session, {"kind": "show", "view": view}, choice)
        assert reply["message"] is None
    assert reply["regions"]["label_map"] is None


def test_a_source_is_asked_for_one_picture_at_a_time(models: tuple[OpenedModel, ...]):
    under_way: list[str] = []
    most = []

    def slow(image: np.ndarray, name: str) -> np.ndarray:
        under_way.append(name)
        most.append(len(under_way))
        time.sleep(0.05)  # long enough for the others to come, too
        under_way.remove(name)
        return np.zeros((1, *image.shape[:2]), np.int32)

    workbench = Workbench(models, sources=[NamedRegions("slow", slow)], examples=[], limits=SMALL)
    sessions = [act(workbench, Session(), opening(encode(noise(9, 9, 3)), f"{i}.png"))[0] for i in range(4)]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda session: act(workbench, session, {"kind": "show", "view": "regions"}), sessions))

    assert most == [1, 1, 1, 1]


def test_a_source_that_fails_leaves_what_was_seen(models: tuple[OpenedModel, ...]):
    def failing(image: np.ndarray, name: str) -> np.ndarray:
        raise OSError("the disk is gone")

    sources = [NamedRegions("failing", failing), NamedRegions("wrong", lambda image, name: np.zeros(3))]
    workbench = Workbench(models, sources=sources, examples=[], limits=SMALL)
    session, _ = act(workbench, Session(), opening(encode(noise(40, 60, 3))), POINT)

    after, reply = act(workbench, session, {"kind": "show", "view": "regions"})
    assert reply["message"] == "failing has no regions for noise.png: the disk is gone"
    assert (reply["view"], after) == ("masks", session)
    _, reply = act(
        workbench,
        session,
        {"kind": "show_regions", "source": 1, "label_map": None},
        {"kind": "show", "view": "regions"},
    )
    assert reply["message"].startswith("wrong has no regions for noise.png: the region source")


def test_a_picture_that_is_no_longer_kept_is_asked_for_again(workbench: Workbench):
    _, reply = act(workbench, Session(), POINT, has_picture=1)

    assert reply["message"] == "there is no picture any more; open it again"
    assert reply["picture"] is None


def test_a_reply_is_text_wherever_it_stands(workbench: Workbench):
    request = {
        "number": 1,
        "has_picture": 0,
        "actions": [opening(encode(noise(9, 9, 3)), "<script>alert(1)</script>.png")],
    }

    _, reply = workbench.answer(Session(), request)

    assert "<" not in reply
    assert json.loads(reply)["picture"]["name"] == "script>.png"  # the last part of what looks like a path


def test_two_visitors_do_not_mix(workbench: Workbench):
    one, _ = act(workbench, Session(), opening(encode(noise(40, 60, 3)), "one.png"), POINT)
    other, reply = act(workbench, Session(), opening(encode(noise(60, 40, 3)), "other.png"))

    assert reply["objects"][0]["marks"] == []
    _, reply = act(workbench, one)
    assert reply["picture"]["name"] == "one.png"
    assert len(reply["objects"][0]["marks"]) == 1
    assert other.picture is not one.picture
