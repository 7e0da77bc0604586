import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rmae import runs
from rmae.config import PretrainConfig
from rmae.models.weights import load
from rmae.runs import pretrain
from rmae.training.run_folder import read_run


def with_data(config: PretrainConfig, **knobs: Any) -> PretrainConfig:
    return replace(config, data=replace(config.data, **knobs))


def with_model(config: PretrainConfig, **knobs: Any) -> PretrainConfig:
    return replace(config, model=replace(config.model, **knobs))


def with_optimizer(config: PretrainConfig, **knobs: Any) -> PretrainConfig:
    return replace(config, optimizer=replace(config.optimizer, **knobs))


def logged(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def skipped(run: Path) -> list[str]:
    return [json.loads(line)["name"] for line in (run / "skipped_images.jsonl").read_text().splitlines()]


@contextmanager
def refused(*words: str) -> Iterator[None]:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        yield


# One run


@pytest.mark.parametrize(
    ("task", "shown", "absent"),
    [
        ("mae", ["Final pixel loss", "Reconstruction"], ["Final region loss", "Region IoU"]),
        ("rae", ["Final region loss", "Region IoU"], ["Final pixel loss", "Reconstruction"]),
        ("rmae", ["Final pixel loss", "Reconstruction", "Final region loss", "Region IoU"], []),
    ],
)
def test_each_task_ends_with_a_report_of_what_it_reconstructs(
    task: str, shown: list[str], absent: list[str], tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path
):
    out = tmp_path / "runs" / task

    assert pretrain(with_model(tiny_config, task=task), data=str(photo_folder), out=out) == out

    page = (out / "report.html").read_text()
    headings = re.findall("<h2>(.*?)</h2>", page)
    assert headings == ["Training curves", "What the model completes", "Configuration"]
    assert [words for words in shown if words not in page] == []
    assert [words for words in absent if words in page] == []
    assert str(photo_folder) in page
    assert len(logged(out)) == 4
    last = logged(out)[-1]
    assert (last["pixel_loss"] is None, last["region_loss"] is None) == (task == "rae", task == "mae")


def test_mae_needs_no_source_of_regions(tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    config = with_data(with_model(tiny_config, task="mae"), regions=None)

    out = pretrain(config, data=photo_folder, out=tmp_path / "run")

    assert read_run(out).config() == config


def test_photographs_are_there_without_a_data_folder(tiny_config: PretrainConfig, tmp_path: Path):
    config = with_data(with_model(tiny_config, task="mae"), regions=None, held_out=1)

    out = pretrain(config, out=tmp_path / "run")

    assert read_run(out).data is None
    assert "photographs that come with scikit-image" in (out / "report.html").read_text()


def test_folder_is_called_after_the_run_and_the_time(
    tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)

    out = pretrain(with_optimizer(tiny_config, updates=1), data="photos")

    assert re.fullmatch(r"runs/tiny-\d{8}-\d{6}", out.as_posix())
    assert (tmp_path / out / "report.html").exists()
    assert read_run(out).data == str(photo_folder)  # found from any directory later


def test_same_seed_gives_the_same_losses(tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    def losses(name: str, seed: int) -> list[float]:
        config = replace(tiny_config, run=replace(tiny_config.run, seed=seed))
        return [line["loss"] for line in logged(pretrain(config, data=photo_folder, out=tmp_path / name))]

    first = losses("a", 0)

    assert losses("b", 0) == first
    assert losses("c", 1) != first


def test_rectangular_crops_train(tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    config = with_model(tiny_config, img_size=(24, 40))

    assert "24 x 40 pixels" in (pretrain(config, data=photo_folder, out=tmp_path / "run") / "report.html").read_text()


def test_pictures_of_the_validation_folder_are_shown_in_the_report(
    tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path
):
    for folder, names in (("train", "01234"), ("val", "5")):
        (photo_folder / folder).mkdir()
        for name in names:
            (photo_folder / f"{name}.png").rename(photo_folder / folder / f"{name}.png")

    page = (pretrain(tiny_config, data=photo_folder, out=tmp_path / "run") / "report.html").read_text()

    assert "val/5.png" in page
    assert "train/" not in page


# Statistics and channels


def test_measured_statistics_are_saved_and_not_measured_again(tiny_config: PretrainConfig, tmp_path: Path):
    folder = tmp_path / "plain"
    folder.mkdir()
    for i in range(6):
        Image.new("RGB", (48, 48), (51, 102, 204)).save(folder / f"{i}.png")
    config = with_data(tiny_config, measure_statistics=True)

    out = pretrain(config, data=folder, out=tmp_path / "run")

    saved = read_run(out).config().data
    assert saved.pixel_mean == pytest.approx((0.2, 0.4, 0.8))
    assert saved.pixel_std == (1e-3, 1e-3, 1e-3)
    assert not saved.measure_statistics

    Image.new("RGB", (48, 48), (255, 255, 255)).save(folder / "0.png")
    pretrain(with_optimizer(config, updates=6), data=folder, out=out, resume=True)
    assert read_run(out).config().data == saved
    assert len(logged(out)) == 6


def test_sixteen_bit_grey_images_train(tiny_config: PretrainConfig, tmp_path: Path):
    folder = tmp_path / "infrared"
    folder.mkdir()
    for i in range(6):
        pixels = np.random.default_rng(i).integers(20_000, 24_000, (48, 64), dtype=np.uint16)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    config = with_model(with_data(tiny_config, measure_statistics=True), channels=1)

    out = pretrain(config, data=folder, out=tmp_path / "run")

    saved = read_run(out).config().data
    assert saved.pixel_mean == pytest.approx((22_000 / 65_535,), abs=1e-3)
    assert saved.pixel_std == pytest.approx((4_000 / 65_535 / 12**0.5,), rel=0.02)
    assert skipped(out) == []
    assert "Reconstruction" in (out / "report.html").read_text()


# Sources of regions


def left_and_right(image: np.ndarray, name: str) -> np.ndarray:
    height, width = image.shape[:2]
    return np.broadcast_to((np.arange(width) >= width // 2).astype(np.int32), (1, height, width))


@pytest.mark.parametrize(
    "choice",
    [
        {"region_variant": "batch", "region_decoder_depth": 2},
        {"region_variant": "channel", "num_regions": 40},  # more than any picture has, so that they are repeated
        {"feeding": "both", "masking": "region_biased"},
        {"shared_mask": False, "region_mask_ratio": 0.5, "masking": "region_visible"},
    ],
    ids=str,
)
def test_every_choice_ends_with_a_report(
    choice: dict[str, Any], tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path
):
    config = with_model(tiny_config, **choice)

    run = pretrain(with_data(config, regions=left_and_right), data=photo_folder, out=tmp_path / "run")

    assert load(run).config == config.model
    page = (run / "report.html").read_text()
    assert page.count('class="region"') == 2  # both regions of the picture held out, each once


def test_own_source_of_regions_works(tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    config = with_data(tiny_config, regions=left_and_right)

    out = pretrain(config, data=photo_folder, out=tmp_path / "run")

    page = (out / "report.html").read_text()
    assert "Region IoU" in page
    assert "left_and_right" in page
    assert len(logged(out)) == 4


def test_held_out_picture_without_regions_is_shown_without_them(
    tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path
):
    data = tmp_path / "data"
    (data / "val").mkdir(parents=True)
    photo_folder.rename(data / "train")
    (data / "train" / "0.png").rename(data / "val" / "without_regions.png")

    def of_training_pictures(image: np.ndarray, name: str) -> np.ndarray:
        if name.startswith("val/"):
            raise ValueError("there are no masks for this image")
        return left_and_right(image, name)

    out = pretrain(with_data(tiny_config, regions=of_training_pictures), data=data, out=tmp_path / "run")

    page = (out / "report.html").read_text()
    assert "without_regions.png" in page
    assert "Reconstruction" in page
    assert "True map" not in page


def test_mistake_in_an_own_source_of_regions_is_explained(
    tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path
):
    def wrong_size(image: np.ndarray, name: str) -> np.ndarray:
        return np.zeros((1, 3, 3), np.int32)

    with pytest.raises(TypeError, match=r"gave an array of shape \(1, 3, 3\) for \d\.png; it must give label maps"):
        pretrain(with_data(tiny_config, regions=wrong_size), data=photo_folder, out=tmp_path / "run")


# Images that cannot be read


@pytest.fixture
def photos_with_a_broken_one(photo_folder: Path) -> Path:
    (photo_folder / "broken.png").write_bytes(b"no image")
    return photo_folder


def test_broken_image_is_listed_once_and_training_goes_on(
    tiny_config: PretrainConfig, photos_with_a_broken_one: Path, tmp_path: Path
):
    every_image_every_update = with_optimizer(tiny_config, batch_size=7)
    config = with_data(every_image_every_update, held_out=0, max_bad_share=0.5)

    out = pretrain(config, data=photos_with_a_broken_one, out=tmp_path / "run")

    assert skipped(out) == ["broken.png"]
    assert [line["skipped"] for line in logged(out)] == [1, 1, 1, 1]
    page = (out / "report.html").read_text()
    assert "1 image could not be read and took no part" in page
    assert "No pictures were completed" in page


def test_too_many_broken_images_stop_the_run(
    tiny_config: PretrainConfig, photos_with_a_broken_one: Path, tmp_path: Path
):
    (photos_with_a_broken_one / "also_broken.png").write_bytes(b"no image")
    config = with_data(with_optimizer(tiny_config, batch_size=8), held_out=0)

    with refused("2 of 8 images cannot be used, more than the allowed share of 0.05", "broken.png", "--max-bad-share"):
        pretrain(config, data=photos_with_a_broken_one, out=tmp_path / "run")
    assert sorted(skipped(tmp_path / "run")) == ["also_broken.png", "broken.png"]


def test_broken_picture_is_left_out_of_the_report(tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path):
    data = tmp_path / "data"
    (data / "val").mkdir(parents=True)
    photo_folder.rename(data / "train")
    (data / "train" / "0.png").rename(data / "val" / "good.png")
    (data / "val" / "broken.png").write_bytes(b"no image")

    page = (pretrain(tiny_config, data=data, out=tmp_path / "run") / "report.html").read_text()

    assert "val/good.png" in page
    assert "val/broken.png" not in page


def test_reports_hide_regions_by_a_mask_of_their_own_where_training_did(
    tiny_config: PretrainConfig, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    reports = []
    monkeypatch.setattr(runs, "render_report", lambda report: reports.append(report) or "")

    for shared in (True, False):
        pretrain(with_model(tiny_config, shared_mask=shared), data=photo_folder, out=tmp_path / str(shared))

    same = [(p.hidden == p.region_hidden).all() for report in reports for p in report.pictures]
    assert same == [True, False]
