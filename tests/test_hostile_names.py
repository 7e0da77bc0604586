"""Names of files, classes and folders that are markup stand as text on every page."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

import rmae
from rmae import cli
from rmae.config import PretrainConfig

NAME = """<img src=x onerror=alert(1)>"'&amp;"""
"""What a browser would make a broken picture of, which then runs a script."""


class _Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def check_page(page: Path, *, shown: str = NAME) -> None:
    """Fail where a name is more than text, or where it is not shown."""
    html = page.read_text()
    elements = _Elements(html)
    assert shown in elements.text
    assert "<img src=x" not in html
    for tag, attributes in elements.found:
        assert tag != "script"
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("src") != "x"


def rename(folder: Path, suffix: str) -> Iterator[tuple[str, str]]:
    """Give all pictures in a folder a name with markup; yields old and new names."""
    for number, path in enumerate(sorted(folder.rglob(f"*{suffix}"))):
        new = f"{number} {NAME}{suffix}"
        path.rename(path.with_name(new))
        yield path.name, new


@pytest.mark.slow
def test_pages_about_a_folder_of_images(tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    photos = photo_folder.rename(tmp_path / NAME)
    list(rename(photos, ".png"))
    (photos / f"torn {NAME}.png").write_bytes(b"no picture")

    run = rmae.pretrain(tiny_config, data=photos, out=tmp_path / "run")
    rmae.visualize(run, photos, out=tmp_path / "look", regions=rmae.Grid())
    assert (
        cli.run(["regions", "show", "--source", "grid", "--data", str(photos), "--out", str(tmp_path / "regions.html")])
        == 0
    )

    for page in (run / "report.html", tmp_path / "look" / "index.html", tmp_path / "regions.html"):
        check_page(page)


@pytest.mark.slow
def test_pages_about_classes(tmp_path: Path):
    data = rmae.make_class_scenes(tmp_path / "data", num_train=12, num_val=6, size_hw=(40, 40))
    for part in ("train", "val"):
        for folder in sorted((data / part).iterdir()):
            list(rename(folder, ".png"))
            folder.rename(folder.with_name(f"{folder.name} {NAME}"))
    for task in ("knn", "linear", "finetune"):
        found = evaluate(task, data, tmp_path / task)
        check_page(found.folder / "report.html")


@pytest.mark.slow
def test_pages_about_annotated_pictures(tmp_path: Path):
    data = rmae.make_scenes(tmp_path / "data", num_train=6, num_val=3, size_hw=(48, 48))
    new = {part: dict(rename(data / part, ".png")) for part in ("train2017", "val2017")}
    for file in (data / "annotations").glob("*.json"):
        saved = json.loads(file.read_text())
        names = new["train2017" if "train" in file.name else "val2017"]
        for image in saved["images"]:
            image["file_name"] = names[image["file_name"]]
        for category in saved["categories"]:
            category["name"] += NAME
        file.write_text(json.dumps(saved))
    for task in ("segment", "detect", "localise"):
        found = evaluate(task, data, tmp_path / task)
        check_page(found.folder / "report.html")


def evaluate(task: str, data: Path, out: Path) -> rmae.Evaluation:
    """Put random weights to a task for a moment."""
    from dataclasses import replace

    from rmae.config import EncoderConfig, OptimizerConfig, ReadingConfig, RunConfig

    side = 64 if task in ("detect", "localise") else 32
    encoder = EncoderConfig(img_size=side, scratch_size="micro", scratch_patch_size=16)
    config = replace(
        rmae.evaluation_preset(task, "small"),
        encoder=encoder,
        reading=ReadingConfig(num_workers=0),
        run=RunConfig(accelerator="cpu", num_threads=1, log_every=1),
    )
    if task not in ("knn", "localise"):
        optimizer = OptimizerConfig(epochs=None, updates=2, batch_size=2, base_lr=1e-2, warmup=0.0, clip_grad=1.0)
        config = replace(config, optimizer=optimizer)
    return rmae.evaluate(config, "scratch", data=data, out=out)
