"""Readers of what runs and evaluations leave in their folders."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fuzz.reader import Files, Reader, damaging
from fuzz.tree_damage import damage_json, damage_lines
from rmae.config import PretrainConfig
from rmae.config.classification import KnnConfig
from rmae.config_json import config_to_json
from rmae.data.image_set import ImageSet
from rmae.data.skips import SkipLog, Skipped
from rmae.evaluation.folder import (
    Estimate,
    Evaluation,
    finished_scores,
    read_config,
    save_results,
    start_evaluation,
    summarise,
)
from rmae.evaluation.interactive.picture_results import (
    ClickScores,
    ObjectResult,
    PictureResult,
    ResultsFile,
    Seconds,
)
from rmae.evaluation.interactive.results import read_baselines as read_interactive_baselines
from rmae.evaluation.interactive.visible_shares import SharesIou
from rmae.evaluation.localisation.results import read_baselines as read_localisation_baselines
from rmae.models.weights.records import read_metrics, read_results, read_run_record
from rmae.reproduction.piece_record import PieceRecord, read_piece_record, write_piece_record
from rmae.reproduction.record import ArmRecord, DataRecord, Record, read_record, write_record
from rmae.training.run_folder import RunFolder, differences, read_run, start_run
from rmae.visualize_runs import _check_out


def _make_run(folder: Path) -> list[Files]:
    start_run(folder / "run", PretrainConfig(), "photos", ImageSet(Path("photos"), ("a.jpg", "b.jpg")))
    metrics = [
        {"update": i, "epoch": i / 2, "loss": 0.5, "loss_regions": None, "lr": 1e-4, "skipped": 0} for i in (1, 2)
    ]
    lines = "".join(json.dumps(line) + "\n" for line in metrics)
    return [{"run/config.json": (folder / "run" / "config.json").read_bytes(), "run/metrics.jsonl": lines.encode()}]


def _read_run(folder: Path) -> None:
    saved = read_run(folder / "run")
    assert isinstance(saved.settings, dict)
    assert isinstance(saved.data, str | None)
    assert isinstance(saved.images, str)
    differences(saved.settings, config_to_json(PretrainConfig()))
    assert isinstance(saved.config(), PretrainConfig)


def _read_run_metrics(folder: Path) -> None:
    last = read_run_record(folder / "run").last_metrics
    for line in [*read_metrics(RunFolder(folder / "run").metrics), *([last] if last else [])]:
        assert isinstance(line["update"], int | float)
        assert all(isinstance(value, int | float | None) for value in line.values())


def _make_skips(folder: Path) -> list[Files]:
    log = SkipLog(folder / "skipped.jsonl", num_images=9, max_bad_share=1)
    for name in ("a.jpg", "b\n.jpg"):
        log.add([Skipped(name, "it is torn")])
    return [{"skipped.jsonl": (folder / "skipped.jsonl").read_bytes()}]


def _read_skips(folder: Path) -> None:
    log = SkipLog(folder / "skipped.jsonl", num_images=9, max_bad_share=1)
    assert log.count >= 0
    log.add([])


def _make_evaluation(folder: Path) -> list[Files]:
    _start_evaluation(folder / "evaluated", resume=False)
    scores = summarise([{"top1_20": 0.5, "interval": Estimate(0.4, 0.3, 0.5)}])
    evaluation = Evaluation(
        task="knn", encoder="runs/a", data="photos", seeds=(0,), scores=scores, folder=folder / "evaluated"
    )
    save_results(evaluation, KnnConfig(), folder / "evaluated" / "results.json")
    return [files_of(folder, "evaluated/config.json", "evaluated/results.json")]


def _start_evaluation(path: Path, *, resume: bool) -> None:
    start_evaluation(
        path,
        KnnConfig(),
        task="knn",
        encoder="runs/a",
        weights="1a2b",
        data="photos",
        fingerprint="2 pictures",
        resume=resume,
    )


def files_of(folder: Path, *names: str) -> Files:
    """Some files of a folder."""
    return {name: (folder / name).read_bytes() for name in names}


def _read_evaluation(folder: Path) -> None:
    path = folder / "evaluated"
    assert isinstance(read_config(path, KnnConfig, task="knn"), KnnConfig)
    _start_evaluation(path, resume=True)
    for score in (finished_scores(RunFolder(path), KnnConfig()) or {}).values():
        assert all(isinstance(each, float) for each in (score if isinstance(score, Estimate) else (score,)))
    record = read_results(path / "results.json")
    assert all(isinstance(each, float | None) for score in record.scores.values() for each in score)


_METHODS = ("model", "grabcut")


def _make_picture_results(folder: Path) -> list[Files]:
    file = ResultsFile(folder / "objects.jsonl", _METHODS)
    file.start()
    clicks = {name: ClickScores((0.5, 0.75), (0.5, math.nan)) for name in _METHODS}
    found = ObjectResult(number=3, clicks=clicks, shares={"model": SharesIou((0.5, math.nan), (0.5, 1.0))})
    seconds = {name: Seconds(0.5, math.nan) for name in _METHODS}
    file.add([PictureResult(row=row, name=f"{row}.jpg", objects=(found,), seconds=seconds) for row in range(2)])
    return [files_of(folder, "objects.jsonl")]


def _read_picture_results(folder: Path) -> None:
    file = ResultsFile(folder / "objects.jsonl", _METHODS)
    for row, result in file.start().items():
        assert row == result.row >= 0
        assert isinstance(result.name, str)
        for each in result.objects:
            numbers = [n for scores in (*each.clicks.values(), *each.shares.values()) for part in scores for n in part]
            assert all(isinstance(number, float) and (math.isnan(number) or 0 <= number <= 1) for number in numbers)
        assert all(math.isnan(number) or number >= 0 for each in result.seconds.values() for number in each)


_ESTIMATE = {"value": 0.5, "low": 0.4, "high": None}


def _make_baselines(_: Path) -> list[Files]:
    scores = {"iou_1": _ESTIMATE, "clicks_85": _ESTIMATE}
    interactive = {
        "format": "interactive evaluation", "version": 1, "visible_shares": [0.25, 0.5],
        "methods": [{"name": "grabcut", "scores": scores}, {"name": "model", "scores": scores}],
        "completion": [{"name": "nearest", "iou_hidden": [_ESTIMATE, _ESTIMATE]}],
    }  # fmt: skip
    localisation = {"format": "localisation", "version": 1, "controls": {"centre": {"auc": _ESTIMATE}}}
    return [
        {"evaluated/interactive.json": json.dumps(interactive).encode()},
        {"evaluated/localisation.json": json.dumps(localisation).encode()},
    ]


def _read_baselines(folder: Path) -> None:
    is_interactive = (folder / "evaluated" / "interactive.json").exists()
    found = (read_interactive_baselines if is_interactive else read_localisation_baselines)(folder / "evaluated")
    assert all(isinstance(name, str) for name in found)
    assert all(isinstance(value, float) for scores in found.values() for value in scores.values())


def _make_table(folder: Path) -> list[Files]:
    scores: Mapping[str, tuple[float | None, ...] | None] = {"knn.top1": (0.5, None)}
    arm = ArmRecord(name="mae", label="MAE", flags="--task mae", parameters=1000, gmacs=0.5, scores=scores)
    record = Record(
        table="a",
        budget="tiny",
        command="rmae reproduce a",
        data=DataRecord(description="scenes", train=5, labelled=4, val=3, classes=2),
        seeds=(0, 1),
        tasks={"knn": ("top1",)},
        arms=(arm,),
        machine={"cores": 2, "packages": {"torch": "2"}},
        commits=("0123456789ab",),
        seconds={"pretrain/mae/seed_0": 12.5},
    )
    write_record(record, folder / "a-tiny.json")
    return [files_of(folder, "a-tiny.json")]


def _read_table(folder: Path) -> None:
    record = read_record(folder / "a-tiny.json")
    assert record.seeds
    assert record.name.isascii()


def _make_piece(folder: Path) -> list[Files]:
    write_piece_record(folder, "a", PieceRecord(("pretrain", "--seed", "0"), 12.5, True, ("0123456789ab",)))
    return [files_of(folder, "records/a.json")]


def _read_piece(folder: Path) -> None:
    record = read_piece_record(folder, "a")
    assert record is not None
    assert isinstance(record.seconds, float)
    assert all(isinstance(word, str) for word in (*record.arguments, *record.commits))


def _make_visualisation(_: Path) -> list[Files]:
    record: dict[str, Any] = {"format": "visualization", "version": 1, "files": ["index.html", "visualization.json"]}
    return [{"look/visualization.json": json.dumps(record).encode(), "look/index.html": b""}]


READERS = (
    Reader("run", _make_run, _read_run, damaging("run/config.json", by=damage_json), named="run"),
    Reader(
        "metrics", _make_run, _read_run_metrics, damaging("run/metrics.jsonl", by=damage_lines), named="metrics.jsonl"
    ),
    Reader(
        "list of skipped images",
        _make_skips,
        _read_skips,
        damaging("skipped.jsonl", by=damage_lines),
        named="skipped.jsonl",
    ),
    Reader("evaluation", _make_evaluation, _read_evaluation, damaging(by=damage_json), named="evaluated"),
    Reader(
        "results of pictures",
        _make_picture_results,
        _read_picture_results,
        damaging("objects.jsonl", by=damage_lines),
        named="objects.jsonl",
    ),
    Reader(
        "results of methods and controls", _make_baselines, _read_baselines, damaging(by=damage_json), named=".json"
    ),
    Reader("reproduced table", _make_table, _read_table, damaging(by=damage_json), named="a-tiny.json"),
    Reader("piece of a table", _make_piece, _read_piece, damaging(by=damage_json), named="a.json"),
    Reader(
        "record of a visualisation",
        _make_visualisation,
        lambda folder: _check_out(folder / "look"),
        damaging("look/visualization.json", by=damage_json),
        named="look",
    ),
)
