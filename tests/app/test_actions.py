import base64
import math

import pytest

from rmae.app.actions import (
    MOST_ACTIONS,
    MOST_POINTS,
    AddMark,
    Ask,
    Attend,
    Compare,
    Download,
    NewObject,
    OpenExample,
    OpenFile,
    Show,
    ShowRegions,
    Undo,
    parse_request,
    plain_name,
)
from rmae.app.marks import Box, Point, Stroke, mark_as_json


def parse(*actions: object):
    return parse_request({"number": 3, "has_picture": 0, "actions": list(actions)}).actions


def test_a_request_carries_its_number_and_the_picture_that_is_shown():
    request = parse_request({"number": 7, "has_picture": 2, "actions": [{"kind": "undo"}, {"kind": "new_object"}]})

    assert request == (7, 2, (Undo(), NewObject()))


@pytest.mark.parametrize(
    "mark",
    [
        Point(x=1.5, y=2, positive=False),
        Stroke(points_xy=((1, 2), (3, 4)), width=4, positive=True),
        Box(xyxy=(1, 2, 3, 4)),
    ],
)
def test_marks_go_round(mark):
    assert parse(mark_as_json(mark)) == (AddMark(mark=mark),)


def test_other_actions_are_understood():
    assert parse(
        {"kind": "show", "view": "attention"},
        {"kind": "ask", "x": 3, "y": 4.5},
        {"kind": "attend", "layer": 2, "head": None},
        {"kind": "show_regions", "source": 1, "label_map": 0},
        {"kind": "compare", "on": True},
        {"kind": "download", "wanted": "coco", "model": 1},
    ) == (
        Show(view="attention"),
        Ask(x=3, y=4.5),
        Attend(layer=2, head=None),
        ShowRegions(source=1, label_map=0),
        Compare(on=True),
        Download(wanted="coco", model=1),
    )
    assert parse({"kind": "open_example", "number": 2}) == (OpenExample(number=2),)
    encoded = base64.b64encode(b"bytes").decode()
    assert parse({"kind": "open_file", "name": "cat.png", "encoded": encoded}) == (
        OpenFile(name="cat.png", encoded=b"bytes"),
    )


@pytest.mark.parametrize(
    "found", [None, 5, "act", [], {}, {"number": 1}, {"number": 1, "has_picture": 0, "actions": 3}]
)
def test_what_is_no_request_is_refused(found):
    with pytest.raises(ValueError, match=r"^the page sent something that is no request; reload it$"):
        parse_request(found)


POINT = {"kind": "point", "x": 1, "y": 2, "positive": True}
STROKE = {"kind": "stroke", "points": [[1, 2]], "width": 3, "positive": True}


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (7, "an action that is not known: 7"),
        ({"kind": "read_file", "path": "/etc/passwd"}, "an action that is not known"),
        ({"kind": "show", "view": "secrets"}, "an action that is not known"),
        (POINT | {"x": math.nan}, "a place is nan; it must be a number of pixels"),
        (POINT | {"x": math.inf}, "a place is inf; it must be a number"),
        (POINT | {"x": 10**400}, "a place is 1000"),
        (POINT | {"x": "1"}, "a place is '1'"),
        (POINT | {"x": True}, "a place is True"),
        (POINT | {"x": [1]}, r"a place is \[1\]"),
        (POINT | {"positive": 1}, "a mark that is not known"),
        (STROKE | {"points": []}, f"a stroke has 0 points; it must have 1 to {MOST_POINTS}"),
        (STROKE | {"points": [[1, 2]] * (MOST_POINTS + 1)}, f"a stroke has {MOST_POINTS + 1} points"),
        (STROKE | {"points": [[1, 2, 3]]}, r"a point of a stroke is \[1, 2, 3\]; it must be x and y"),
        (STROKE | {"points": [7]}, "a point of a stroke is 7"),
        (STROKE | {"width": 0}, "the brush is 0 pixels wide"),
        (STROKE | {"width": -3}, "the brush is -3 pixels wide"),
        ({"kind": "box", "xyxy": [5, 1, 5, 9]}, "a box has no area"),
        ({"kind": "box", "xyxy": [1, 2, 3]}, "a mark that is not known"),
        ({"kind": "choose_object", "number": -1}, "a number is -1; it must be a whole one, 0 or more"),
        ({"kind": "choose_object", "number": 1.5}, "a number is 1.5"),
        ({"kind": "choose_object", "number": 10**30}, "a number is 1000"),
        ({"kind": "open_file", "name": "x.png", "encoded": "no base 64!"}, "the picture did not arrive whole"),
        ({"kind": "open_file", "name": "x.png", "encoded": "\N{SNOWMAN}"}, "the picture did not arrive whole"),
    ],
)
def test_hostile_actions_are_refused_in_a_sentence(action, sentence: str):
    with pytest.raises(ValueError, match=sentence) as refused:
        parse(action)
    assert len(str(refused.value)) < 250


def test_too_many_actions_are_refused():
    with pytest.raises(
        ValueError, match=f"^{MOST_ACTIONS + 1} actions came at once; at most {MOST_ACTIONS} are taken$"
    ):
        parse(*[{"kind": "undo"}] * (MOST_ACTIONS + 1))


def test_pictures_and_files_are_asked_for_one_after_the_other():
    slow = [
        {"kind": "open_example", "number": 0},
        {"kind": "open_file", "name": "x.png", "encoded": ""},
        {"kind": "download", "wanted": "coco", "model": 0},
    ]
    for action in slow:
        assert len(parse(POINT, action, POINT)) == 3
        for other in slow:
            with pytest.raises(
                ValueError, match=r"^several pictures or files were asked for at once; ask for one after "
            ):
                parse(action, POINT, other)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("cat.png", "cat.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\cat.png", "cat.png"),
        ("a\x00b\nc\u202e.png", "abc.png"),
        ("", "picture"),
        ("photos/", "picture"),
        ("<script>.png", "<script>.png"),
        ("x" * 500 + ".png", "x" * 196 + ".png"),
    ],
)
def test_names_are_only_read(name: str, plain: str):
    assert plain_name(name) == plain
