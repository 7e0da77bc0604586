"""Localisation as a whole: what is measured, written and shown, and what is refused."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rmae.config import EncoderConfig
from rmae.config.localisation import LocaliseConfig
from rmae.evaluation.encoder import Encoder, open_encoder
from rmae.evaluation.folder import Estimate
from rmae.evaluation.localisation import maps
from rmae.evaluation.localisation import run as localisation
from rmae.evaluation.localisation.presets import paper, small
from rmae.training.ranks import open_ranks
from rmae.training.run_folder import RunFolder

Boxes = dict[str, tuple[int, int, int, int]]
Go = Callable[..., tuple[dict[str, Any], dict[str, Any]]]
BLUE, RED = (0, 0, 255), (255, 0, 0)
SCORES = [f"{kind}_{name}" for kind in ("attention", "similarity") for name in ("auc", "mass", "pointing", "iou")]


@pytest.fixture
def go(tmp_path: Path) -> Go:
    """Evaluate, in a folder of the test: go(config, root, encoder) gives the scores and what the JSON holds."""

    def evaluate(config: LocaliseConfig, root: Path, encoder: Encoder | None = None, name: str = "run"):
        path = tmp_path / name
        path.mkdir()
        encoder = encoder or open_encoder("scratch", config.encoder, seed=config.run.seed)
        with open_ranks(config.run) as ranks:
            data = localisation.open_data(config, root)
            scores = localisation.evaluate(config, encoder, data, RunFolder(path), ranks)
        return scores, json.loads((path / "localisation.json").read_text())

    return evaluate


def paint(root: Path, boxes: Boxes) -> None:
    """Make pictures of a data set blue with a red box: left, top, right, bottom."""
    for name, (left, top, right, bottom) in boxes.items():
        path = root / "val2017" / f"{name}.png"
        with Image.open(path) as picture:
            pixels = np.full((picture.height, picture.width, 3), BLUE, np.uint8)
        pixels[top:bottom, left:right] = RED
        Image.fromarray(pixels).save(path)


def test_a_perfect_oracle_scores_exactly_1_in_everything(write_coco, rectangle, tiny, oracle, go: Go):
    """An encoder that sees where red is, of objects that are red and fill 2 x 2, 3 x 1 and 2 x 4 patches."""
    boxes: Boxes = {"a": (16, 8, 32, 24), "b": (0, 0, 8, 24), "c": (16, 0, 48, 8)}
    root = write_coco(
        train={"a": (64, 64), "b": (64, 64), "c": (32, 64)},
        annotations=[rectangle(name, *box) for name, box in boxes.items()],
    )
    paint(root, boxes)
    scores, saved = go(tiny, root, oracle)
    assert list(scores) == SCORES
    assert set(scores.values()) == {Estimate(1.0, 1.0, 1.0)}
    assert saved["objects"] == 3
    ceiling = saved["controls"]["ceiling"]
    assert all(score == {"value": 1.0, "low": 1.0, "high": 1.0} for score in ceiling.values())


def test_an_encoder_that_sees_only_noise_scores_chance(write_coco, rectangle, tiny, random_encoder, go: Go):
    """Of objects that are not to be seen, and by an encoder without positions."""
    draws = np.random.default_rng(0)
    pictures, entries = {i: (64, 64) for i in range(60)}, []
    for i in pictures:
        left, top = (8 * draws.integers(0, 5, 2)).tolist()
        entries.append(rectangle(i, left, top, left + 24, top + 8 * int(draws.integers(1, 4))))
    encoder = random_encoder()
    encoder.vit.pos_embed.data.zero_()
    scores, saved = go(tiny, write_coco(train=pictures, annotations=entries), encoder)
    chance = saved["controls"]["chance"]
    for name, score in scores.items():
        expected = chance[name.partition("_")[2]]["value"]
        assert abs(score.value - expected) < 1.5 * (score.high - score.low), name  # 6 standard errors
    assert 0.03 < scores["attention_auc"].high - scores["attention_auc"].low < 0.2


def test_a_map_of_the_query_patch_alone_earns_nothing(scenes: Path, tiny, self_centred, go: Go, tmp_path: Path):
    """It lies inside by construction: with its pixels, mass and pointing would be 1."""
    scores, saved = go(replace(tiny, num_examples=1), scenes, self_centred)
    chance = saved["controls"]["chance"]
    assert saved["encoders"][0]["layers"][0]["attention_on_itself"]["value"] == 1.0
    assert scores["attention_auc"] == Estimate(0.5, 0.5, 0.5)
    assert scores["attention_pointing"]._asdict() == pytest.approx(chance["pointing"])
    assert scores["attention_iou"].value == pytest.approx(chance["mass"]["value"])  # that of all pixels
    assert math.isnan(scores["attention_mass"].value)
    assert saved["encoders"][0]["undefined"]["attention"] == {"mass": saved["objects"]}
    page = (tmp_path / "run" / "report.html").read_text()
    assert f"{saved['objects']} have no Mass of self-centred" in page
    assert "AUC 0.50, no mass at all" in page


def test_scores_json_and_page_of_scenes(scenes: Path, tiny, random_encoder, go: Go, tmp_path: Path):
    config = replace(tiny, against=("scratch",), num_examples=2)
    scores, saved = go(config, scenes, random_encoder())
    for score in scores.values():
        assert 0 <= score.low <= score.value <= score.high <= 1
    assert scores["attention_auc"]._asdict() == saved["encoders"][0]["attention"]["auc"]
    assert [encoder["name"] for encoder in saved["encoders"]] == ["random 0", "scratch"]
    first = saved["encoders"][0]
    assert (len(first["layers"]), [len(layer["head_auc"]) for layer in first["layers"]]) == (2, [2, 2])
    assert first["layers"][1]["attention"] == first["attention"]
    assert saved["controls"]["nearness"]["mass"] == {"value": None, "low": None, "high": None}
    assert {(each["encoder"], each["to"]) for each in saved["differences"]} == {
        ("scratch", "random 0"), ("random 0", "nearness"), ("scratch", "nearness")
    }  # fmt: skip
    assert saved["objects"] > 10
    page = (tmp_path / "run" / "report.html").read_text()
    for words in (
        "Localisation · random 0",
        "Nearness",
        "Difference to random 0",
        "scratch: similarity",
        "Query",
        "by layer",
    ):
        assert words.lower() in page.lower(), words
    assert page.count("<article") == 2
    assert page.count("data:image/jpeg") == 2 * 5
    assert not re.search(r"\bnan\b", re.sub(r"data:[^\"]*", "", page))


def test_differences_are_those_of_the_same_objects(scenes: Path, tiny, go: Go):
    """Of an encoder to itself there is none, though scores vary."""
    scores, saved = go(replace(tiny, against=("scratch",)), scenes)
    to_itself = [each for each in saved["differences"] if each["to"] == "scratch"]
    assert len(to_itself) == 2
    for each in to_itself:
        assert all(score == {"value": 0.0, "low": 0.0, "high": 0.0} for score in each["scores"].values())
    assert scores["attention_auc"].high - scores["attention_auc"].low > 0.01


def test_neither_workers_nor_the_batch_change_anything(scenes: Path, tiny, random_encoder, go: Go):
    """Batches change the last bits alone, in float64."""
    exact = replace(tiny, run=replace(tiny.run, precision="float64"))
    _, saved = go(exact, scenes, random_encoder(), "plain")
    _, with_workers = go(
        replace(exact, reading=replace(tiny.reading, num_workers=2)), scenes, random_encoder(), "workers"
    )
    assert with_workers == saved
    scores, _ = go(replace(exact, eval_batch_size=1), scenes, random_encoder(), "one by one")
    for name, score in scores.items():
        kind, _, which = name.partition("_")
        assert score.value == pytest.approx(saved["encoders"][0][kind][which]["value"], abs=1e-5)


def test_little_memory_changes_nothing(scenes: Path, tiny, random_encoder, go: Go, monkeypatch: pytest.MonkeyPatch):
    """Where queries of a picture go through the encoder one by one, scores still belong to their objects."""
    _, saved = go(tiny, scenes, random_encoder(), "at once")
    monkeypatch.setattr(maps, "_NUMBERS_AT_ONCE", 1)
    _, in_turn = go(tiny, scenes, random_encoder(), "in turn")
    for one, other in zip(saved["differences"], in_turn["differences"], strict=True):
        assert one["scores"]["auc"] == pytest.approx(other["scores"]["auc"], abs=1e-5)


def test_the_seed_changes_intervals_and_chance_alone(scenes: Path, tiny, random_encoder, go: Go):
    _, saved = go(tiny, scenes, random_encoder(), "0")
    _, other = go(replace(tiny, run=replace(tiny.run, seed=1)), scenes, random_encoder(), "1")
    ours, theirs = (each["encoders"][0]["attention"]["auc"] for each in (saved, other))
    assert ours["value"] == theirs["value"]
    assert ours["low"] != theirs["low"]
    chances = [each["controls"]["chance"]["iou"]["value"] for each in (saved, other)]
    assert 0 < abs(chances[0] - chances[1]) < 0.03


def test_layer_and_least_share_are_used(scenes: Path, tiny, random_encoder, go: Go):
    _, saved = go(tiny, scenes, random_encoder(), "last")
    _, first = go(replace(tiny, layer=0), scenes, random_encoder(), "first")
    assert first["encoders"][0]["attention"] == saved["encoders"][0]["layers"][0]["attention"]
    assert first["encoders"][0]["attention"] != saved["encoders"][0]["attention"]
    assert first["encoders"][0]["similarity"] == saved["encoders"][0]["similarity"]
    _, strict = go(replace(tiny, min_patch_share=1.0), scenes, random_encoder(), "strict")
    left_out = strict["left_out"]["covering too little of every patch"]
    assert strict["objects"] + left_out == saved["objects"] + sum(saved["left_out"].values())
    assert strict["objects"] < saved["objects"]


def test_global_random_generators_are_left_alone(scenes: Path, tiny, go: Go):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    go(replace(tiny, against=("scratch",)), scenes)
    assert torch.equal(torch.get_rng_state(), before)


def test_encoders_with_registers_and_without_a_class_token_are_measured(scenes: Path, tiny, random_encoder, go: Go):
    _, with_registers = go(tiny, scenes, random_encoder(reg_tokens=3), "registers")
    _, without = go(tiny, scenes, random_encoder(class_token=False, global_pool="avg", pos_embed="none"), "without")
    shares = [each["encoders"][0]["layers"][0]["attention_elsewhere"]["value"] for each in (with_registers, without)]
    assert shares[0] > 0.01
    assert shares[1] == pytest.approx(0, abs=1e-6)


def test_bf16_gives_nearly_the_same(scenes: Path, tiny, random_encoder, go: Go):
    exact, _ = go(tiny, scenes, random_encoder(), "float32")
    rough, _ = go(replace(tiny, run=replace(tiny.run, precision="bf16")), scenes, random_encoder(), "bf16")
    for name in SCORES:
        assert rough[name].value == pytest.approx(exact[name].value, abs=0.05), name


def test_a_single_picture_has_scores_without_intervals(write_coco, rectangle, tiny, random_encoder, go: Go, tmp_path):
    root = write_coco(train={"a": (64, 64)}, annotations=[rectangle("a", 8, 8, 40, 40)])
    scores, saved = go(replace(tiny, num_examples=5), root, random_encoder())
    assert 0 <= scores["attention_auc"].value <= 1
    assert math.isnan(scores["attention_auc"].low)
    assert saved["encoders"][0]["attention"]["auc"]["low"] is None
    assert "no interval" in (tmp_path / "run" / "report.html").read_text()


def test_lvis_is_read_and_crowds_and_faults_are_counted(write_coco, rectangle, tiny, random_encoder, go: Go):
    entries = [
        rectangle(1, 8, 8, 40, 40), rectangle(1, 8, 8, 10, 10), rectangle(2, 8, 8, 16, 16), rectangle(2, 0, 0, 64, 64),
        rectangle(2, 8, 8, 40, 40, iscrowd=1), rectangle(2, 70, 70, 90, 90), rectangle(3, 0, 0, 30, 30),
    ]  # fmt: skip
    categories = [{"id": i, "name": f"c{i}", "frequency": "f"} for i in (1, 2)]
    root = write_coco(train={i: (64, 64) for i in (1, 2, 3)}, annotations=entries, categories=categories, lvis=True)
    _, saved = go(replace(tiny, layout="lvis"), root, random_encoder())
    assert (saved["objects"], saved["pictures"]) == (2, 2)
    assert saved["left_out"] == {
        "covering too little of every patch": 1,
        "outside of their picture": 1,
        "standing for a crowd": 1,
        "with nothing of the picture beside them": 1,
        "with nothing outside of their query patch": 1,
    }


def test_what_cannot_be_measured_is_explained(write_coco, rectangle, tiny, random_encoder, go: Go, scenes, tmp_path):
    with pytest.raises(ValueError, match="layer is 2, but random 0 has 2 layers; give one from 0 to 1, or -1 for the"):
        go(replace(tiny, layer=2), scenes, random_encoder(), "a")
    with pytest.raises(ValueError, match="pictures of 60 x 60 pixels cannot be cut into the encoder's patches of 8"):
        go(replace(tiny, encoder=replace(tiny.encoder, img_size=60)), scenes, random_encoder(), "b")
    other = replace(tiny, against=("scratch",), encoder=replace(tiny.encoder, scratch_patch_size=16))
    with pytest.raises(ValueError, match="scratch cuts pictures into patches of 16 pixels, but random 0 of 8; compare"):
        go(other, scenes, random_encoder(), "c")
    small_objects = write_coco(train={"a": (64, 64)}, annotations=[rectangle("a", 8, 8, 10, 10)], name="small")
    with pytest.raises(ValueError, match=r"none of the objects in .*instances_val2017\.json can be looked at: 1 cover"):
        go(tiny, small_objects, random_encoder(), "d")
    broken = random_encoder()
    broken.vit.blocks[0].mlp.fc1.weight.data[0] = math.inf
    with pytest.raises(ValueError, match="the encoder random 0 gives maps that are not finite; take --precision float"):
        go(tiny, scenes, broken, "e")


def test_presets_fit_their_encoders():
    assert small().encoder.image_hw[0] % small().encoder.scratch_patch_size == 0
    assert (paper().encoder.img_size, paper().encoder.scratch_patch_size) == (224, 16)
    assert isinstance(paper().encoder, EncoderConfig)
