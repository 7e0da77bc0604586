"""The card that is written beside saved weights."""

import json
import re

import pytest
import yaml
from markdown_it import MarkdownIt

import rmae
from rmae.evaluation.folder import Evaluation, Score, save_results
from rmae.models.model_card import EvaluationRecord, RunRecord, render_card


def html_of(card):
    """What a reader of Markdown with tables sees, front matter aside."""
    _, _, body = card.split("---\n", maxsplit=2)
    return MarkdownIt("gfm-like", {"linkify": False}).render(body)


def cells(card):
    rows = re.findall(r"<tr>\s*<td>(.*?)</td>\s*<td>(.*?)</td>\s*</tr>", html_of(card), re.DOTALL)
    return dict(rows)


def test_the_head_tells_the_hub_what_this_is(make_model):
    head = yaml.safe_load(render_card(make_model()).split("---\n")[1])
    assert head["library_name"] == "rmae"
    assert head["pipeline_tag"] == "image-feature-extraction"
    assert "masked-autoencoder" in head["tags"]
    assert "license" not in head  # the user's to give


def test_the_architecture_is_described(make_model):
    shown = cells(render_card(make_model(channels=4)))
    assert shown["Images"] == "32 x 48 pixels, 4 channel(s)"
    assert shown["Patches"] == "8 x 8 pixels"
    assert shown["Encoder"] == "width 32, 2 blocks, 2 heads, 0.0 M parameters"
    assert shown["Pixel decoder"].startswith("width 16, 1 block(s), 2 heads")
    assert shown["Region branch"].startswith("length, width 16, neck of 1 block(s)")
    assert shown["Pixel mean"] == "0.4, 0.43125, 0.4625, 0.49375"
    assert shown["Layer norms add"] == "1e-06"


def test_parts_that_are_missing_are_not_described(make_model):
    model = make_model(task="mae")
    model.pixel_mean = model.pixel_std = None
    shown = cells(render_card(model))
    assert "Region branch" not in shown
    assert shown["Pixel mean"] == "not known"


def test_how_to_load_it_is_an_example_that_runs(make_model, tmp_path, monkeypatch, same_model):
    model = make_model()
    model.save_pretrained(tmp_path / "THIS FOLDER")
    card = (tmp_path / "THIS FOLDER" / "README.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    import torch

    names = {"images": torch.randn(1, 3, 32, 48)}
    monkeypatch.chdir(tmp_path)
    exec(example, names)
    same_model(names["model"], model)
    assert names["features"].shape == (1, 25, 32)


def test_a_run_is_summed_up(make_model):
    last = {"update": 400, "epoch": 12.5, "loss": 0.75, "pixel_loss": 0.5, "region_loss": None, "lr": 0.1}
    run = RunRecord({"data": {"flip": 0.5, "region_store": "/home/me/x.regions"}}, "118287 images, sha256 ab", last)
    card = render_card(make_model(), run=run)
    shown = cells(card)
    assert shown["Images"] == "118287 images, sha256 ab"
    assert (shown["Updates"], shown["Epochs"]) == ("400", "12.5")
    assert (shown["Last loss"], shown["Last pixel loss"]) == ("0.75", "0.5")
    assert "Last region loss" not in shown
    [settings] = re.findall(r"```json\n(.*?)```", card, re.DOTALL)
    assert json.loads(settings) == {"data": {"flip": 0.5}}  # where regions were kept concerns nobody else


@pytest.mark.slow
def test_a_real_run_and_its_results_are_summed_up(tiny_config, lasting_photo_folder, tmp_path):
    run = rmae.pretrain(tiny_config, data=lasting_photo_folder, out=tmp_path / "run")
    files = []
    for task, scores in {
        "knn": {"top1": Score(0.5, 0.25, (0.25, 0.75)), "top5": Score(0.875, 0.0, (0.875, 0.875))},
        "segment": {"miou": Score(0.4321, None, (0.4321,)), "accuracy": Score(float("nan"), None, (float("nan"),))},
    }.items():
        seeds = tuple(range(len(next(iter(scores.values())).values)))
        evaluation = Evaluation(
            task=task, encoder=str(run), data="/home/me/flowers", seeds=seeds, scores=scores, folder=tmp_path / task
        )
        evaluation.folder.mkdir()
        files.append(evaluation.folder / "results.json")
        save_results(evaluation, tiny_config, files[-1])

    rmae.load(run).save_pretrained(tmp_path / "out", run=run, results=files)

    card = (tmp_path / "out" / "README.md").read_text()
    shown = cells(card)
    assert shown["Updates"] == "4"
    assert float(shown["Last loss"]) > 0
    assert shown["Images"].startswith(("5 images, sha256 ", "6 images, sha256 "))
    assert "## Evaluation: knn\n\nOn flowers, 2 seed(s), mean ± standard deviation.\n" in card
    assert "## Evaluation: segment\n\nOn flowers, 1 seed(s).\n" in card
    assert (shown["top1"], shown["top5"]) == ("0.5000 ± 0.2500", "0.8750 ± 0.0000")
    assert (shown["miou"], shown["accuracy"]) == ("0.4321", "not defined")
    assert "/home/me" not in card
    assert str(lasting_photo_folder) not in card
    assert "Regions Meet Masked Autoencoders" in card


HOSTILE = ["`", "```", "a | b", "**bold**", "</details><script>x</script>", "# head", "---", "a\nb", "[x](y)", "~~s~~"]


@pytest.mark.parametrize("text", [*HOSTILE, " ".join(HOSTILE)])
def test_nothing_of_the_users_breaks_the_page(make_model, text):
    result = EvaluationRecord("knn", "flowers", 1, {"top1": (0.5, None)})
    plain = html_of(render_card(make_model(), run=RunRecord({}, "images", {}), results=[result]))
    run = RunRecord({"name": text, "data": {}}, text, {f"{text}loss": 1.0})
    card = render_card(make_model(), run=run, results=[EvaluationRecord(text, text, 1, {text: (0.5, None)})])
    page = html_of(card)
    assert yaml.safe_load(card.split("---\n")[1])["library_name"] == "rmae"
    tags = ("<h1", "<h2", "<table", "<strong", "<script", "<a ", "<details", "</details", "<em>", "<s>", "<hr")
    assert {tag: page.count(tag) for tag in tags} == {tag: plain.count(tag) for tag in tags}
    [settings] = re.findall(r'<pre><code class="language-json">(.*?)</code>', page, re.DOTALL)
    assert json.loads(settings.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">"))["name"] == text
    assert cells(card)["Images"].replace("&lt;", "<").replace("&gt;", ">") == " ".join(text.split())


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (dict(run="nowhere"), "there is no run in nowhere: config.json is missing"),
        (
            dict(results=["nowhere.json"]),
            "there are no results at nowhere.json; name the results.json of an evaluation",
        ),
        (dict(run="damaged"), "config.json does not describe a run"),
        (dict(run="other"), "config.json does not describe a run .it is a model"),
        (dict(run="empty"), "config.json does not describe a run .it has no configuration"),
        (dict(results=["damaged/config.json"]), "config.json does not hold the results of an evaluation"),
        (dict(results=["other/config.json"]), "other/config.json does not hold the results of an evaluation"),
        (
            dict(results=["newer.json"]),
            "does not hold the results of an evaluation .it is evaluation results, version 2",
        ),
        (dict(run="cut"), "metrics.jsonl does not hold the metrics of a run"),
    ],
)
def test_what_cannot_be_read_is_said(make_model, tmp_path, monkeypatch, option, sentence):
    monkeypatch.chdir(tmp_path)
    contents = {"damaged": "{", "other": '{"format": "model"}', "empty": '{"format": "run", "config": 1}'}
    for name, text in (contents | {"cut": '{"format": "run", "config": {}}'}).items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(text)
    (tmp_path / "cut" / "metrics.jsonl").write_text("{\n")
    (tmp_path / "newer.json").write_text('{"format": "evaluation results", "version": 2}')
    with pytest.raises(ValueError, match=sentence):
        make_model().save_pretrained("out", **option)
    assert not (tmp_path / "out").exists()
