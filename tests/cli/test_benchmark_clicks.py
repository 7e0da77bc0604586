"""`rmae benchmark clicks`: what it prints, the figures as JSON, and wrong flags."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rmae import cli

SMALL = [
    "--size", "micro", "--img-size", "64", "--decoder-embed-dim", "32", "--decoder-depth", "1",
    "--decoder-num-heads", "4", "--region-embed-dim", "32", "--num-threads", "1", "--repeats", "2",
]  # fmt: skip
Complaint = Callable[..., str]


def test_a_click_is_timed_beside_the_look_at_the_picture(done: Callable[..., str], tmp_path: Path):
    file = tmp_path / "clicks.json"
    printed = done("benchmark", "clicks", *SMALL, "--picture-size", "40", "56", "--json", file)

    figures = json.loads(file.read_text())
    assert figures["command"].startswith("rmae benchmark clicks --size micro")
    assert figures["command"].endswith(f"--json {file}")
    assert (figures["size_hw"], figures["threads"], figures["repeats"]) == ([40, 56], 1, 2)
    times = figures["ms"]
    rows = [line.split("  ", 1) for line in printed.splitlines()]
    assert [(name, words.strip()) for name, words in rows] == [
        ("model", f"rmae-coco-vit-b-fh, {figures['num_views']} view(s), 1 thread(s)"),
        ("picture", "56 x 40 pixels"),
        ("encoder and neck, once a picture", f"{times['look']:.1f} ms"),
        ("region branch, once a click", f"{times['branch']:.1f} ms, {figures['branch_over_look']:.1%} of that"),
        ("a whole click", f"{times['click']:.1f} ms"),
        ("the same after 19 others", f"{times['click_after_19']:.1f} ms"),
    ]


def test_a_preset_sets_the_model_and_views_are_those_asked_for(done: Callable[..., str]):
    printed = done("benchmark", "clicks", "rmae-reference-code", *SMALL, "--num-views", "3")
    assert "rmae-reference-code, 3 view(s), 1 thread(s)" in printed
    assert "1024 x 768 pixels" in printed


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["rmae-coco-vit-b"], "there is no preset 'rmae-coco-vit-b' (did you mean mae-coco-vit-b?)"),
        (["--picture-size", "0", "64"], "--picture-size is 0; it must be at least 1"),
        (["--repeats", "0"], "--repeats is 0; it must be at least 1"),
        (["--num-threads", "-1"], "--num-threads is -1; it must be at least 1"),
        (["--json", "."], "--json is ., which is a folder; name a file"),
        (["--batch-size", "4"], "there is no option --batch-size"),
    ],
)
def test_wrong_flags_are_explained(flags: list[str], sentence: str, complaint: Complaint):
    assert complaint("benchmark", "clicks", *flags, code=2).startswith(sentence)


def test_models_that_answer_no_clicks_are_refused(complaint: Complaint):
    sentence = complaint("benchmark", "clicks", "mae-coco-vit-b", *SMALL, code=1)
    assert sentence.startswith("this model has no region branch")
    sentence = complaint("benchmark", "clicks", *SMALL, "--num-views", "0", code=1)
    assert sentence == "num_views is 0; it must be at least 1 and at most the 16 patches"


def test_without_memory_a_cure_is_named_that_the_command_has(complaint: Complaint, monkeypatch: pytest.MonkeyPatch):
    def fail(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr("rmae.bench.clicks.measure_clicks", fail)
    sentence = "out of memory: take a smaller --picture-size, --img-size or --size"
    assert complaint("benchmark", "clicks", *SMALL, code=1) == sentence


def test_help_names_the_flags_of_the_model(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        cli.run(["benchmark", "clicks", "--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith("usage: rmae benchmark clicks [PRESET]")
    for flag in ("--picture-size", "--num-views", "--json", "--img-size", "--region-variant"):
        assert flag in printed
