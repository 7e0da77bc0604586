"""The evaluation as a whole, with a tiny model on drawn scenes."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rmae.config.interactive import InteractiveConfig
from rmae.evaluation.interactive import assessment, run
from rmae.evaluation.interactive.assessment import assess
from rmae.evaluation.interactive.data import choose_objects
from rmae.evaluation.interactive.examples import choose_examples
from rmae.evaluation.interactive.picture_results import ClickScores, ObjectResult, PictureResult
from rmae.evaluation.interactive.results import read_baselines
from rmae.evaluation.interactive.scores import summarise
from rmae.training.ranks import open_ranks
from rmae.training.run_folder import RunFolder
from timed_results import without_seconds

Evaluate = Callable[..., tuple[Path, dict[str, Any]]]


@pytest.fixture
def evaluate(quick_config, build_tiny, scenes: Path, tmp_path: Path) -> Evaluate:
    """Evaluate in a folder of the test: evaluate("name", model=None, **knobs); returns the folder and the scores."""

    def evaluated(name: str = "run", model=None, **knobs):
        config = replace(quick_config, **knobs)
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir(exist_ok=True)
        with open_ranks(config.run) as ranks:
            data = run.open_data(config, scenes)
            return folder.path, run.evaluate(config, model or build_tiny(), data, folder, ranks)

    return evaluated


def results(folder: Path) -> Any:
    return without_seconds(json.loads((folder / run.RESULTS).read_text()))


def objects(folder: Path) -> list[Any]:
    """The lines of the pictures, by row."""
    lines = map(json.loads, (folder / run.OBJECTS).read_text().splitlines()[1:])
    return sorted(map(without_seconds, lines), key=lambda line: line["row"])


def test_an_evaluation_leaves_scores_results_and_a_report(evaluate: Evaluate, capsys):
    folder, scores = evaluate()
    assert list(scores) == [
        "iou_1", "iou_3", "clicks_80", "clicks_85", "clicks_90", "failures_80", "failures_85", "failures_90",
        "visible_iou_10", "visible_iou_50",
    ]  # fmt: skip
    assert all(0 <= score.low <= score.value <= score.high <= 4 for score in scores.values())
    saved = json.loads((folder / run.RESULTS).read_text())
    assert (saved["format"], saved["version"]) == ("interactive evaluation", 1)
    assert saved["objects"] == 7
    assert [method["name"] for method in saved["methods"]] == ["model", "felzenszwalb", "grabcut"]
    assert saved["methods"][0]["scores"]["iou_1"] == scores["iou_1"]._asdict()
    assert saved["methods"][0]["calibration"]["confidence"] > 0
    assert saved["methods"][1]["calibration"] is None
    assert saved["methods"][2]["seconds_per_click"] > 0
    assert [each["name"] for each in saved["completion"]] == ["model", "nothing", "nearest"]
    assert [each["value"] for each in saved["completion"][1]["iou_hidden"]] == [0, 0]
    baselines = read_baselines(folder)
    assert list(baselines) == ["felzenszwalb", "grabcut", "nothing", "nearest"]
    assert baselines["grabcut"] == {name: each["value"] for name, each in saved["methods"][2]["scores"].items()}
    assert list(baselines["nearest"]) == ["visible_iou_10", "visible_iou_50"]
    page = (folder / "report.html").read_text()
    assert page.count("<article") == 2
    assert page.count("<svg") == 3
    for words in ("Mean IoU after clicks", "This model", "Felzenszwalb regions", "GrabCut", "Nearest pixel", "7 of "):
        assert words in page
    said = capsys.readouterr().out
    assert "objects; model, felzenszwalb, grabcut" in said
    assert "clicking 6 of 6 images" in said


def test_the_same_evaluation_gives_the_same(evaluate: Evaluate):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, scores = evaluate("one", num_examples=0)
    two, same = evaluate("two", num_examples=0)
    assert scores == same
    assert objects(one) == objects(two)
    assert results(one) == results(two)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_done_is_not_done_again(evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch):
    whole, scores = evaluate("whole", num_examples=0)
    lines = (whole / run.OBJECTS).read_text().splitlines(keepends=True)
    part = whole.with_name("part")
    part.mkdir()
    (part / run.OBJECTS).write_text("".join(lines[:4]) + lines[4][:30])
    asked: list[int] = []
    assess_picture = assessment.assess_picture

    def counted(config, methods, data, row, numbers) -> PictureResult:
        asked.append(row)
        return assess_picture(config, methods, data, row, numbers)

    monkeypatch.setattr(assessment, "assess_picture", counted)
    resumed, same = evaluate("part", num_examples=0)
    assert asked == [json.loads(line)["row"] for line in lines[4:]]
    assert same == scores
    assert objects(resumed) == objects(whole)
    assert results(resumed) == results(whole)
    asked.clear()
    assert evaluate("part", num_examples=0) == (resumed, scores)
    assert asked == []


@pytest.mark.slow
def test_every_knob_changes_the_results(evaluate: Evaluate):
    quick = {"num_examples": 0, "max_objects": 4, "max_clicks": 2}
    plain = results(evaluate("plain", **quick)[0])
    for knobs in (
        {"max_objects": 3}, {"max_clicks": 3}, {"visible_shares": (0.2,)}, {"felzenszwalb_scale": 500.0},
        {"img_size": 64}, {"grabcut_side": 16}, {"min_object_share": 0.1},
    ):  # fmt: skip
        assert results(evaluate(str(knobs), **quick | knobs)[0]) != plain, knobs


def test_methods_may_be_left_out(evaluate: Evaluate):
    folder, scores = evaluate(felzenszwalb_scale=None, grabcut_side=None, visible_shares=(), max_clicks=1)
    assert list(scores)[:2] == ["iou_1", "clicks_80"]
    assert [method["name"] for method in results(folder)["methods"]] == ["model"]
    page = (folder / "report.html").read_text()
    assert "Differences" not in page
    assert "visible patches" not in page


def test_without_opencv_grabcut_is_left_out_and_the_report_says_so(
    evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setitem(sys.modules, "cv2", None)
    folder, _ = evaluate(num_examples=0, max_objects=1)
    assert [method["name"] for method in results(folder)["methods"]] == ["model", "felzenszwalb"]
    assert "install it with: pip install &#x27;rmae[interactive]&#x27;" in (folder / "report.html").read_text()
    assert "left out: GrabCut is OpenCV's" in capsys.readouterr().out


def test_other_models_and_segment_anything_are_set_beside_it(
    evaluate: Evaluate, build_tiny, sam_checkpoint: Path, tmp_path: Path
):
    same, other = tmp_path / "same", tmp_path / "other"
    build_tiny(0).save_pretrained(same)
    build_tiny(1, mask_ratio=0.5).save_pretrained(other)
    beside = (str(same), str(other))
    folder, scores = evaluate(sam=str(sam_checkpoint), against=beside, num_examples=1, max_objects=3)
    saved = results(folder)
    names = [method["name"] for method in saved["methods"]]
    assert names == ["model", "felzenszwalb", "grabcut", "sam", str(same), str(other)]
    alike, differing = saved["methods"][4:]
    assert alike["scores"] == saved["methods"][0]["scores"]
    assert set(alike["differences_to_model"]["iou_1"].values()) == {0}
    assert differing["differences_to_model"]["iou_1"]["value"] == pytest.approx(
        differing["scores"]["iou_1"]["value"] - scores["iou_1"].value
    )
    assert saved["methods"][3]["calibration"] is not None
    completions = {each["name"]: each for each in saved["completion"]}
    assert list(completions) == ["model", "nothing", "nearest", str(same), str(other)]
    assert completions[str(same)]["iou_hidden"] == completions["model"]["iou_hidden"]
    assert "Segment Anything" in (folder / "report.html").read_text()


def test_models_that_cannot_answer_are_refused(evaluate: Evaluate, build_tiny):
    with pytest.raises(ValueError, match="this model has no region branch"):
        evaluate(model=build_tiny(task="mae"))
    with pytest.raises(ValueError, match="sees no pixels"):
        evaluate(model=build_tiny(feeding="none"))
    with pytest.raises(ValueError, match=r"the model takes pictures of 1 channel\(s\); .* take a model of 3"):
        evaluate(model=build_tiny(channels=1))
    with pytest.raises(ValueError, match="no Segment Anything model can be loaded from a/b/c"):
        evaluate(sam="a/b/c")


def test_masks_that_are_all_empty_are_explained(quick_config, build_tiny, write_coco, rectangle, tmp_path: Path):
    nothing = {"size": [20, 30], "counts": [600]}
    root = write_coco(train={"a": (20, 30)}, annotations=[rectangle("a", 0, 0, 10, 10, segmentation=nothing)])
    with (
        open_ranks(quick_config.run) as ranks,
        pytest.raises(ValueError, match=r"the masks of all objects .* are empty"),
    ):
        run.evaluate(
            quick_config, build_tiny(), run.open_data(quick_config, root), RunFolder(root / "annotations"), ranks
        )


def test_an_oracle_takes_one_click_and_a_random_method_is_as_good_as_chance(
    quick_config: InteractiveConfig, scene_data, oracle, guesser, tmp_path: Path
):
    config = replace(quick_config, max_objects=100, max_clicks=20, visible_shares=())
    choice = choose_objects(config, scene_data)
    assert choice.num_objects >= 8
    methods = {"model": oracle, "chance": guesser}
    with open_ranks(config.run) as ranks:
        found = assess(config, methods, scene_data, choice, tmp_path / "objects.jsonl", ranks)
    summary = summarise(found, visible_shares=(), num_resamples=50, seed=0)
    perfect, chance = summary.methods
    for name, score in perfect.scores.items():
        assert score == ({"iou": 1, "clicks": 1, "failures": 0}[name.partition("_")[0]],) * 3
    assert oracle.num_asked == choice.num_objects
    masks = [mask for each in oracle.masks.values() for mask in each]
    assert len(masks) == choice.num_objects
    # Half of all pixels overlap with a share a of them in a / 2, and together they are (1 + a) / 2.
    shares = np.array([mask.mean() for mask in masks])
    expected = (shares / (1 + shares)).mean()
    np.testing.assert_allclose(chance.by_click.mean, expected, atol=0.01)
    assert chance.scores["clicks_80"].value == 20
    assert chance.scores["failures_80"].value == 1


def test_examples_run_from_the_best_to_the_worst():
    def with_iou(*iou: float) -> PictureResult:
        clicks = {"model": ClickScores(iou, iou)}
        return PictureResult(row=0, name="", objects=(ObjectResult(number=0, clicks=clicks, shares={}),), seconds={})

    made = [with_iou(0.2, 0, 0.2, 0, 0.2), with_iou(0.9, 0, 0.1, 0, 0.8), with_iou(0.5, 0, 0.4, 0, 0.3), with_iou(1, 1)]
    assert [result for result, _ in choose_examples(made, 3)] == [made[3], made[2], made[0]]  # of 1, 0.6, 0.4, 0.2
    assert choose_examples(made, 0) == []
    assert len(choose_examples(made, 9)) == 4
