"""The results page says what its records say, and only that."""

import dataclasses
import math
from typing import Any

import pytest
from markdown_it import MarkdownIt

from rmae.reproduction.contrasts import Claim, Contrast, spread
from rmae.reproduction.figures import tell_amount, tell_contrast, tell_spread
from rmae.reproduction.markdown import code, escape, table
from rmae.reproduction.page import results_page
from rmae.reproduction.record import ArmRecord, BaselineRecord, DataRecord, Record
from rmae.reproduction.score_words import ScoreWords, words_for
from rmae.reproduction.table_text import TableText

PERCENT, CLICKS = words_for("segment.miou"), words_for("interactive.clicks_85")
MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


def claim(words: str, expected: Any, *scores: str, source: str = "", **contrast: float) -> Claim:
    return Claim(contrast=contrast, scores=scores, expected=expected, words=words, source=source)


CLAIMS = (
    claim("RAE is above scratch", "above", "segment.miou", "knn.top1_20", source="far above", rae=1, scratch=-1),
    claim("MAE is below scratch", "below", "segment.miou", source="55 | 60", mae=1, scratch=-1),
    claim("RAE equals MAE", "equal", "segment.miou", source="47.2 for both", rae=1, mae=-1),
    claim("MAE beside RAE", None, "segment.miou", "detect.box_ap", source="nothing known", mae=1, rae=-1),
    claim("what nobody ran", "above", "segment.miou", source="nowhere", other=1, rae=-1),
)
TABLES = {"a": TableText("Does it help?", "All of them.", ("A note.",), CLAIMS)}
SCRATCH = ArmRecord(
    name="scratch",
    label="from scratch",
    flags="",
    parameters=None,
    gmacs=None,
    scores={"segment.miou": (0.2, 0.21, 0.22), "knn.top1_20": (0.3, 0.31, 0.32), "interactive.clicks_85": None},
)
MAE = ArmRecord(
    name="mae",
    label="MAE",
    flags="",
    parameters=1_234_567,
    gmacs=0.0931,
    scores={"segment.miou": (0.4, 0.41, 0.42), "knn.top1_20": (0.3, None, 0.5), "interactive.clicks_85": None},
)
RAE = ArmRecord(
    name="rae",
    label="RAE | *half*",
    flags="--region-weight 2",
    parameters=12_345_678,
    gmacs=9.734,
    scores={"segment.miou": (0.4, 0.42, 0.41), "knn.top1_20": None, "interactive.clicks_85": (7.5, 8.5, 8.0)},
)
RECORD = Record(
    table="a",
    budget="tiny",
    command="rmae reproduce a --budget tiny",
    data=DataRecord(description="cut-outs", train=4000, labelled=400, val=200, classes=6),
    seeds=(0, 1, 2),
    tasks={"segment": ("miou",), "knn": ("top1_20",), "interactive": ("clicks_85",)},
    arms=(SCRATCH, MAE, RAE),
    machine={
        "processor": "a processor",
        "cores": 2,
        "memory_gb": 25.3,
        "system": "Linux",
        "python": "3.11.7",
        "packages": {"torch": "2.11", "gone": None},
    },
    baselines=(BaselineRecord(label="Grab*Cut*", scores={"interactive.clicks_85": (5.0, None, 6.0)}),),
    commits=("0123456789ab",),
    seconds={"pretrain/mae/seed_0": 60, "pretrain/mae/seed_1": 90, "pretrain/mae/seed_2": 600, "scenes": 1},
)


def with_one_seed(record: Record) -> Record:
    arms = (
        dataclasses.replace(arm, scores={name: values and values[:1] for name, values in arm.scores.items()})
        for arm in record.arms
    )
    return dataclasses.replace(record, budget="small", seeds=(0,), arms=tuple(arms), baselines=())


def page(*records: Record, **rest: Any) -> str:
    return results_page(records, TABLES, plots="assets/results", **rest).replace("\N{NO-BREAK SPACE}", " ")


def test_scores_are_told_as_means_and_deviations():
    assert "| encoder | segmentation, mIoU | k-NN (k = 20), top-1 | clicks to 85 % IoU (fewer is better) |" in page(
        RECORD
    )
    assert f"| from scratch | 21.0 ± 1.0 | 31.0 ± 1.0 | {DASH} |" in page(RECORD)
    assert f"| MAE | 41.0 ± 1.0 | 40.0 ± 14.1 (2 of 3 seeds) | {DASH} |" in page(RECORD)
    assert rf"| RAE \| \*half\* | 41.0 ± 1.0 | {DASH} | 8.0 ± 0.5 |" in page(RECORD)


def test_claims_are_compared_with_what_the_paper_says():
    text = page(RECORD)
    head = "| claim | what the paper says | budget | score | ours (95 % interval) | verdict |"
    rows = [
        "| a: RAE is above scratch | far above | [tiny](#a-tiny) | segmentation, mIoU | +20.0 points (+17.5 to +22.5) |"
        " **holds** |",
        r"| a: MAE is below scratch | 55 \| 60 | [tiny](#a-tiny) | segmentation, mIoU | +20.0 points (+20.0 to +20.0) |"
        " **fails** |",
        "| a: RAE equals MAE | 47.2 for both | [tiny](#a-tiny) | segmentation, mIoU | 0.0 points "
        f"({MINUS}2.5 to +2.5) | **holds** |",
    ]
    assert "\n".join([head, "| --- | --- | --- | --- | --- | --- |", *rows, ""]) in text
    assert f"| a: MAE beside RAE | [tiny](#a-tiny) | segmentation, mIoU | 0.0 points ({MINUS}2.5 to +2.5) |" in text
    assert "| tiny | 3 | 2 | 1 | 0 | 0 |" in text
    assert "what nobody ran" not in text


def test_verdicts_stand_in_the_section_too():
    text = page(RECORD)
    assert "- RAE is above scratch (the paper: far above)\n    - segmentation, mIoU: **holds**, +20.0 points" in text
    assert f"{MINUS}2.5 to +2.5): no difference is seen beyond noise\n" in text
    assert "- MAE beside RAE (nothing known)\n    - segmentation, mIoU: within noise, 0.0 points" in text


def test_rows_of_one_claim_name_it_once():
    rows = [line for line in page(with_one_seed(RECORD), RECORD).splitlines() if "segmentation, mIoU | +20" in line]
    assert rows[0].startswith("| a: RAE is above scratch | far above | [small](#a-small) | segmentation, mIoU | +20.0 ")
    assert rows[0].endswith(" points | one seed |")
    assert rows[1].startswith("|  |  | [tiny](#a-tiny) | segmentation, mIoU | +20.0 points (")


def test_what_two_tables_say_of_the_same_runs_is_said_once():
    other = dataclasses.replace(RECORD, table="h")
    text = results_page([RECORD, other], {**TABLES, "h": TABLES["a"]}, plots="p")
    assert "| h: " not in text
    moved = dataclasses.replace(MAE, scores={**MAE.scores, "segment.miou": (0.5, 0.6, 0.7)})
    other = dataclasses.replace(other, arms=(SCRATCH, moved, RAE))
    text = results_page([RECORD, other], {**TABLES, "h": TABLES["a"]}, plots="p")
    assert "| h: MAE is below scratch |" in text
    assert "| h: RAE is above scratch |" not in text


def test_one_seed_has_no_deviations():
    text = page(with_one_seed(RECORD))
    assert "- **Seed:** 0, so there are no deviations and no intervals" in text
    assert f"| from scratch | 20.0 | 30.0 | {DASH} |" in text
    assert "    - segmentation, mIoU: one seed, +20.0 points, without an interval" in text
    assert "| small | 3 | 0 | 0 | 0 | 3 |" in text


def test_a_section_says_what_was_run():
    text = page(RECORD, folder="../benchmarks/reproduce")
    assert '<a id="a-tiny"></a>\n\n## Table a, budget tiny: Does it help?\n\nAll of them.\n' in text
    assert "cut-outs; 4,000 pictures to pre-train on, 400 with labels, 200 to validate on, 6 classes" in text
    assert (
        "a processor, 2 cores, 25.3 GB of memory, Python 3.11.7, torch 2.11\n- **Code:** commit `0123456789ab`\n"
        in text
    )
    assert "[a-tiny.json](../benchmarks/reproduce/a-tiny.json)" in text
    assert "](assets/results/a-tiny.svg)" in text
    assert "```sh\nrmae reproduce a --budget tiny\n```" in text
    assert "\n*A note.*\n" in text
    assert f"| from scratch | {DASH} | {DASH} | {DASH} | {DASH} |" in text
    assert f"| MAE | {DASH} | 1,234,567 | 0.0931 | 1.50 |" in text
    assert rf"| RAE \| \*half\* | `--region-weight 2` | 12,345,678 | 9.73 | {DASH} |" in text


def test_what_somebody_wrote_stands_in_its_place():
    text = page(RECORD, readings={"reading": "At the *top*.\n", "a-tiny": "In the middle.\n", "b-tiny": "Nowhere."})
    assert text.index("At the *top*.\n\n## How to read it") < text.index("## Table a")
    assert "### What we make of it\n\nIn the middle.\n\n### What it costs" in text
    assert "Nowhere" not in text


def test_a_table_without_words_has_a_section():
    text = results_page([dataclasses.replace(RECORD, table="z")], TABLES, plots="p")
    assert "\n## Table z, budget tiny\n\n- **Data:**" in text
    assert "## The claims" not in text
    assert "### What it says" not in text


def test_a_record_without_any_score_has_no_plot():
    arms = tuple(dataclasses.replace(arm, scores={}) for arm in RECORD.arms)
    text = page(dataclasses.replace(RECORD, arms=arms, baselines=(), machine={}))
    assert "\nNo score is defined.\n" in text
    assert ".svg" not in text
    assert "- **Machine:** not known\n" in text


def test_what_is_reached_without_an_encoder_stands_below():
    text = page(RECORD)
    rows = [rf"| *no encoder: Grab\*Cut\** | {DASH} | {DASH} | 5.5 ± 0.7 (2 of 3 seeds) |", ""]
    assert "| 8.0 ± 0.5 |\n" + "\n".join(rows) in text
    assert "no encoder" not in page(dataclasses.replace(RECORD, baselines=()))
    assert text.count("Grab") == 1


@pytest.mark.parametrize(
    ("commits", "told"),
    [((), "commit not known"), (("abc", "def+"), "commits `abc`, `def+`: not all of it was made with the same code")],
)
def test_the_code_is_named(commits: tuple[str, ...], told: str):
    assert f"\n- **Code:** {told}\n" in page(dataclasses.replace(RECORD, commits=commits))


def test_many_scores_are_told_in_several_tables():
    scores = [f"top1_{k}" for k in range(1, 8)]
    arm = dataclasses.replace(MAE, scores={f"knn.{score}": (0.1, 0.2, 0.3) for score in scores})
    text = page(dataclasses.replace(RECORD, tasks={"knn": tuple(scores)}, arms=(arm,), baselines=()))
    heads = [line.count("k-NN") for line in text.splitlines() if line.startswith("| encoder | k-NN")]
    assert heads == [4, 3]


def test_tables_are_read_as_tables_and_text_as_text():
    nasty = dataclasses.replace(RAE, label="<b>a|b</b> [c](d) `e` \\| _f_", flags="`--a|b`")
    record = dataclasses.replace(RECORD, arms=(SCRATCH, MAE, nasty))
    html = MarkdownIt().enable("table").render(page(record))
    assert html.count("<table>") == 5
    assert "<td>&lt;b&gt;a|b&lt;/b&gt; [c](d) `e` \\| _f_</td>" in html
    assert "<td><code>`--a|b`</code></td>" in html


def test_the_page_is_the_same_for_the_same_records():
    assert page(RECORD) == page(RECORD)


@pytest.mark.parametrize(
    ("score", "name"),
    [
        ("segment.miou", "segmentation, mIoU"),
        ("detect.box_ap", "boxes, AP"),
        ("detect.mask_ap75", "masks, AP75"),
        ("detect.box_ap_small", "boxes, AP (small)"),
        ("knn.top5_200", "k-NN (k = 200), top-5"),
        ("linear.top1", "linear probe, top-1"),
        ("finetune.top1", "fine-tuning, top-1"),
        ("localise.similarity_pointing", "similarity, pointing"),
        ("interactive.iou_1", "IoU after 1 click"),
        ("interactive.iou_10", "IoU after 10 clicks"),
        ("interactive.visible_iou_02", "completion IoU, 2 % visible"),
        ("interactive.visible_iou_12.5", "completion IoU, 12.5 % visible"),
        ("interactive.failures_90", "never reaches 90 % IoU"),
    ],
)
def test_scores_have_names_in_words(score: str, name: str):
    assert words_for(score)[:3] == (name, 100, "points")
    assert words_for(score).fewer_is_better == ("failures" in score)


def test_other_scores_are_told_as_they_are():
    assert words_for("interactive.clicks_85") == ScoreWords("clicks to 85 % IoU", 1, "clicks", 1, fewer_is_better=True)
    assert words_for("other.score_1") == ScoreWords("other.score_1", 1, "", 3)


def plain(contrast: Contrast, words: ScoreWords) -> tuple[str, ...]:
    return tuple(part.replace("\N{NO-BREAK SPACE}", " ") for part in tell_contrast(contrast, words))


def test_differences_have_a_sign_and_enough_digits():
    assert plain(Contrast(0.0123, 0.002, 0.03), PERCENT) == ("+1.2 points", "+0.2 to +3.0")
    assert plain(Contrast(0.0491, 0.0001, 0.0979), PERCENT) == ("+4.91 points", "+0.01 to +9.79")
    assert plain(Contrast(-0.02, -0.04, -1e-9), PERCENT) == (f"{MINUS}2.0000 points", f"{MINUS}4.0000 to 0.0000")
    assert plain(Contrast(-0.0001, -0.01, 0.01), PERCENT) == ("0.0 points", f"{MINUS}1.0 to +1.0")
    assert plain(Contrast(0.0, 0.0, 0.0), PERCENT) == ("0.0 points", "0.0 to 0.0")
    assert plain(Contrast(-1.25, math.nan, math.nan), CLICKS) == (f"{MINUS}1.2 clicks", "")
    assert plain(Contrast(0.5, 0.25, 0.75), words_for("other.score")) == ("+0.500", "+0.250 to +0.750")


def test_amounts_have_three_digits():
    amounts = (0.0931, 0.9999, 9.734, 97.34, 973.4, 9734.0, 0, None)
    assert [tell_amount(amount) for amount in amounts] == [
        "0.0931", "1.00", "9.73", "97.3", "973", "9,734", "0.00", DASH
    ]  # fmt: skip
    assert tell_spread(None, PERCENT, num_seeds=3) == DASH
    assert tell_spread(spread([-0.5]), words_for("other.score"), num_seeds=1) == f"{MINUS}0.500"


def test_code_and_text_keep_what_is_in_them():
    assert code("--a 1") == "`--a 1`"
    assert code("a `b` c") == "``a `b` c``"
    assert code("`b`") == "`` `b` ``"
    assert escape(" a\n b ") == "a b"
    assert table(["a", "b"], [["x|y", "1"]], words=1) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |\n"
