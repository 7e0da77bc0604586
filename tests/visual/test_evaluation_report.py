import numpy as np

from rmae.visual.evaluation_report import EvaluationReport, Example, ExampleFigure, Table, render_evaluation_report
from rmae.visual.page import table

PICTURE = np.zeros((4, 6, 3), np.uint8)


def test_all_that_is_given_is_shown_and_escaped():
    html = render_evaluation_report(
        EvaluationReport(
            title="segment · <script>",
            lead="What was <done>.",
            summary={"Data": "a & b"},
            scores=[("mIoU", "81.2 %", "mean over classes")],
            metrics=[{"update": 1, "loss": 2.0}, {"update": 2, "loss": 1.0, "miou": 0.5}],
            curves=(("loss", "Loss"), ("miou", "mIoU")),
            tables=(Table("By class", "A hint.", ("class", "IoU"), (("<disc>", "0.9"),)),),
            legend=(("#ff0000", "disc"),),
            examples=(Example("a<b.png", (ExampleFigure(PICTURE, "Truth", "As drawn."),), "A note."),),
            example_hint="Look.",
            config_json='{"a": "<"}',
            num_skipped=2,
        )
    )
    shown = (
        "segment · &lt;script&gt;", "What was &lt;done&gt;.", "a &amp; b", "81.2 %", "By class", "&lt;disc&gt;",
        "a&lt;b.png", "As drawn.", "A note.", "Look.", "2 pictures could not be read", "#ff0000",
    )  # fmt: skip
    for text in shown:
        assert text in html
    assert "<script" not in html
    assert 'src="data:image/jpeg;base64,' in html  # which is a fifth of a PNG
    assert html.count("<svg") == 2
    assert "Loss against update: 2 at update 1, 1 at 2" in html


def test_what_is_not_there_has_no_section():
    html = render_evaluation_report(EvaluationReport(title="knn", lead="Nothing was trained."))
    for heading in ("Training curves", "Predictions", "could not be read"):
        assert heading not in html


def test_a_long_table_opens_on_a_click():
    rows = [(f"class {i}", "0.5") for i in range(25)]
    html = table(("class", "IoU"), rows)
    assert "5 more rows" in html
    assert html.count("<tr>") == 25 + 2  # two heads
    assert "details" not in table(("class", "IoU"), rows[:20])
