import math

from rmae.visual.visualisation_words import (
    Figure,
    attention_hint,
    feature_hint,
    figure_rows,
    mean_figures,
    reconstruction_hint,
    region_hint,
)

FIGURES = (
    Figure("b", 0.75, "error", 0.2, 0.3),
    Figure("b", 0.5, "error", 0.1, 0.2),
    Figure("b", 0.75, "error", 0.4, 0.5),
    Figure("a", 0.75, "error", 0.3, 0.3),
    Figure("b", 0.75, "iou", 0.5, 0.1),
    Figure("b", 0.75, "iou", math.nan, math.nan),
    Figure("b", 0.75, "iou", 0.7, 0.3),
)


def test_means_by_model_and_ratio() -> None:
    means = mean_figures(FIGURES)
    assert [(row["model"], row["hidden"]) for row in means] == [("b", 0.5), ("b", 0.75), ("a", 0.75)]
    assert {name: round(float(value), 6) for name, value in list(means[1].items())[1:]} == {
        "hidden": 0.75, "error": 0.3, "flat_guess": 0.4, "region_iou": 0.6, "baseline": 0.2,
    }  # fmt: skip
    assert means[2]["region_iou"] is None


def test_the_table_has_dashes_where_there_is_nothing() -> None:
    rows = [
        tuple(cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row) for row in figure_rows(mean_figures(FIGURES))
    ]
    assert rows == [
        ("b, 50 % hidden", "10.0 %", "20.0 %", "\N{EN DASH}", "\N{EN DASH}"),
        ("b, 75 % hidden", "30.0 %", "40.0 %", "0.60", "0.20"),
        ("a, 75 % hidden", "30.0 %", "30.0 %", "\N{EN DASH}", "\N{EN DASH}"),
    ]
    assert figure_rows(mean_figures(())) == []


def test_borrowed_brightness_is_owned_up_to() -> None:
    both = reconstruction_hint(borrowing=("a", "b"), plain=("c",)).sentences
    assert "a and b predicted only the pattern inside a patch" in both
    assert "c borrowed nothing" in both
    assert "borrow" not in reconstruction_hint(borrowing=(), plain=()).sentences


def test_what_is_hidden_of_the_picture_is_said() -> None:
    assert "patches are hidden of the picture as well" in region_hint(whole_picture=False).sentences
    assert "nothing is hidden of the picture, unlike in training" in region_hint(whole_picture=True).sentences


def test_limits_of_what_is_seen_are_named() -> None:
    words = attention_hint(blocks=("block 1 of 2 (a)", "block 2 of 4 (b)", "block 3 of 4 (c)")).sentences
    assert "in block 1 of 2 (a), block 2 of 4 (b) and block 3 of 4 (c), as the mean over heads" in words
    assert "scale of its own" in words
    assert "nothing between encoders" in feature_hint().sentences
