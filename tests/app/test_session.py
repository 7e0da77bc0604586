from dataclasses import replace

import numpy as np
import pytest

from rmae.app.actions import MOST_POINTS
from rmae.app.marks import Box, Mark, Point, Stroke
from rmae.app.picture import Picture
from rmae.app.session import (
    MOST_MARKS,
    MOST_OBJECTS,
    MOST_STROKE_POINTS,
    Look,
    Session,
    ShownMask,
    add_mark,
    ask,
    choose_object,
    new_object,
    patch_at,
    remove_object,
    undo,
    with_picture,
)

HEIGHT, WIDTH = 60, 80


def picture(number: int = 1) -> Picture:
    shown = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    return Picture(
        number=number, name="x.png", size_hw=(HEIGHT, WIDTH), encoded=b"", channels=3, shown=shown, sights=()
    )


@pytest.fixture
def opened() -> Session:
    return with_picture(Session(), picture())


def point(x: float = 5, y: float = 5, *, positive: bool = True) -> Point:
    return Point(x=x, y=y, positive=positive)


def test_a_mark_belongs_to_the_chosen_object(opened: Session):
    session = add_mark(new_object(add_mark(opened, point(1))), point(2))

    assert session.objects == ((point(1),), (point(2),))
    assert session.chosen == 1
    assert add_mark(choose_object(session, 0), point(3)).objects == ((point(1), point(3)), (point(2),))


def test_what_was_is_not_changed(opened: Session):
    marked = add_mark(opened, point(1))
    add_mark(marked, point(2))

    assert opened.objects == ((),)
    assert marked.objects == ((point(1),),)


def test_undo_takes_back_step_by_step(opened: Session):
    one = add_mark(opened, point(1))
    two = add_mark(new_object(one), point(2))

    assert undo(two).objects == ((point(1),), ())
    assert undo(undo(two)).objects == one.objects
    assert undo(undo(two)).chosen == 0
    assert undo(undo(undo(two))).objects == ((),)
    assert undo(undo(undo(undo(two)))).objects == ((),)


def test_undo_brings_back_an_object_that_was_removed(opened: Session):
    session = add_mark(new_object(add_mark(opened, point(1))), point(2))

    assert remove_object(session, 0).objects == ((point(2),),)
    assert undo(remove_object(session, 0)).objects == session.objects


def test_another_object_is_begun_once(opened: Session):
    assert new_object(opened).objects == ((),)
    begun = new_object(add_mark(opened, point()))
    assert new_object(choose_object(begun, 0)).objects == begun.objects
    assert new_object(choose_object(begun, 0)).chosen == 1


@pytest.mark.parametrize(("removed", "chosen", "still"), [(0, 2, 1), (2, 0, 0), (2, 2, 1), (1, 1, 1)])
def test_removing_an_object_keeps_the_chosen_one(opened: Session, removed: int, chosen: int, still: int):
    session = replace(opened, objects=tuple((point(i),) for i in range(3)), chosen=chosen)

    after = remove_object(session, removed)

    assert after.chosen == still
    assert len(after.objects) == 2
    if removed != chosen:
        assert after.objects[after.chosen] == session.objects[chosen]


def test_the_last_object_is_emptied(opened: Session):
    session = remove_object(add_mark(opened, point()), 0)

    assert session.objects == ((),)
    assert session.chosen == 0


def test_a_box_takes_the_place_of_the_one_before(opened: Session):
    session = add_mark(add_mark(add_mark(opened, Box(xyxy=(1, 1, 5, 5))), point()), Box(xyxy=(2, 2, 6, 6)))

    assert session.objects == ((point(), Box(xyxy=(2, 2, 6, 6))),)


def test_another_picture_begins_anew_and_looks_the_same(opened: Session):
    session = replace(ask(add_mark(opened, point()), 3, 4), look=Look(view="attention", layer=2, asked_xy=(3, 4)))

    other = with_picture(session, picture(2))

    assert other.objects == ((),)
    assert other.past == ()
    assert other.look == Look(view="attention", layer=2)


@pytest.mark.parametrize(
    "mark",
    [
        point(-0.1, 5),
        point(5, 60),
        point(80, 5),
        point(1e9, 5),
        Box(xyxy=(-1, 1, 5, 5)),
        Box(xyxy=(1, 1, 81, 5)),
        Stroke(points_xy=((5, 5), (5, 61)), width=3, positive=True),
        Stroke(points_xy=((5, 5),), width=81, positive=True),
    ],
)
def test_marks_beside_the_picture_are_refused(opened: Session, mark: Mark):
    with pytest.raises(ValueError, match=r"^a mark lies beside the picture of 80 x 60 pixels; mark inside of it$"):
        add_mark(opened, mark)


def test_marks_on_its_edge_are_not(opened: Session):
    add_mark(opened, point(0, 59.99))
    add_mark(opened, Box(xyxy=(0, 0, 80, 60)))
    add_mark(opened, Stroke(points_xy=((0, 0), (80, 60)) * (MOST_POINTS // 2), width=80, positive=False))


def test_numbers_are_limited(opened: Session):
    full = replace(opened, objects=((point(),) * MOST_MARKS,))
    with pytest.raises(ValueError, match=f"^this object has {MOST_MARKS} marks; begin another one, or take some back$"):
        add_mark(full, point())
    crowded = replace(opened, objects=((point(),),) * MOST_OBJECTS)
    with pytest.raises(ValueError, match=f"^there are {MOST_OBJECTS} objects; take one away first$"):
        new_object(crowded)


def test_strokes_of_a_picture_are_limited(opened: Session):
    stroke = Stroke(points_xy=((5, 5),) * MOST_POINTS, width=3, positive=True)
    full = replace(opened, objects=((stroke,) * 5,) * (MOST_STROKE_POINTS // MOST_POINTS // 5))

    with pytest.raises(ValueError, match=r"^there is no room for more strokes on this picture; take some back, or "):
        add_mark(new_object(full), replace(stroke, points_xy=((5, 5),)))
    add_mark(full, point())
    add_mark(remove_object(full, 0), stroke)


@pytest.mark.parametrize("act", [choose_object, remove_object])
def test_an_object_that_is_not_there_is_refused(opened: Session, act):
    for number in (-1, 1, 7):
        with pytest.raises(ValueError, match=f"^there is no object {number + 1}; there are 1$"):
            act(opened, number)


def test_without_a_picture_nothing_can_be_marked():
    for act in (lambda: add_mark(Session(), point()), lambda: new_object(Session()), lambda: ask(Session(), 1, 1)):
        with pytest.raises(ValueError, match=r"^there is no picture any more; open it again$"):
            act()


def test_the_patch_that_asks_is_the_one_at_the_place(opened: Session):
    assert patch_at(opened, (6, 8)) == (3, 4)
    assert patch_at(ask(opened, 0, 0), (6, 8)) == (0, 0)
    assert patch_at(ask(opened, 79.9, 59.9), (6, 8)) == (5, 7)
    assert patch_at(ask(opened, 25, 31), (6, 8)) == (3, 2)


def test_a_mask_keeps_its_pixels():
    pixels = np.random.default_rng(0).random((7, 13)) < 0.5

    assert (ShownMask(np.packbits(pixels), 0.5, 0.5).pixels((7, 13)) == pixels).all()
