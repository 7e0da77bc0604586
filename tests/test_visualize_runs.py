import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import rmae

SaveModel = Callable[..., Path]
TINY = dict(
    img_size=(32, 48), patch_size=8, embed_dim=32, depth=2, num_heads=2, decoder_embed_dim=16, decoder_depth=1,
    decoder_num_heads=2, region_embed_dim=16, region_encoder_num_heads=2, region_decoder_num_heads=2,
    num_regions=3,
)  # fmt: skip
GRID = rmae.Grid(rows=2, columns=3)
QUICKLY = {"mask_ratios": (0.75,), "region_ratios": (0.5,), "num_regions": 1, "num_queries": 2}


@pytest.fixture
def save_model(tmp_path: Path) -> SaveModel:
    """Saves a small model of random weights under a name; returns its folder."""

    def save(name: str, *, seed: int = 0, **changes: Any) -> Path:
        config = rmae.ModelConfig(**TINY | changes)
        model = rmae.build_model(config, generator=torch.Generator().manual_seed(seed))
        model.pixel_mean = model.pixel_std = (0.5,) * config.channels
        model.save_pretrained(tmp_path / name)
        return tmp_path / name

    return save


def show(*arguments: Any, out: Path, regions: Any = GRID, against: tuple = (), **knobs: Any) -> tuple[str, dict]:
    """Visualize; returns the page's text, spaces and all alike, and what is recorded beside it."""
    config = rmae.VisualizeConfig(**QUICKLY | knobs)
    page = rmae.visualize(*arguments, out=out, config=config, against=against, regions=regions)
    assert page == out / "index.html"
    text = html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.read_text(), flags=re.DOTALL))
    return re.sub(r"\s+", " ", text), json.loads((out / "visualization.json").read_text())


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_page_and_a_png_for_each_view(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    text, record = show(
        save_model("rm"), [photo_folder / "0.png", photo_folder / "5.png"], out=tmp_path / "deep" / "look",
        against=(save_model("ma", task="mae"),),
    )  # fmt: skip
    of_picture = {
        "picture.png", "visible-75-rm.png", "reconstruction-75-rm.png", "reconstruction-75-ma.png",
        "region-1.png", "region-1-visible-50-rm.png", "region-1-completed-50-rm.png",
        "attention-1-rm.png", "heads-1-rm.png", "attention-1-ma.png", "heads-1-ma.png",
        "attention-2-rm.png", "heads-2-rm.png", "attention-2-ma.png", "heads-2-ma.png",
        "features-rm.png", "features-ma.png",
    }  # fmt: skip
    expected = {f"{folder}/{name}" for folder in ("01-0", "02-5") for name in of_picture}
    assert files(tmp_path / "deep" / "look") == expected | {"index.html", "visualization.json"}
    assert set(record["files"]) == expected | {"index.html", "visualization.json"}
    for name in expected:
        with Image.open(tmp_path / "deep" / "look" / name) as view:
            view.load()
            if "heads" not in name:
                assert view.size == ((320, 192) if name.startswith("01") else (300, 340))  # whole, in its own shape
    assert "rm beside ma" in text
    assert "ma has no region branch, so it completes no regions." in text
    assert record["pictures"] == ["0.png", "5.png"]
    assert [row["model"] for row in record["figures"]] == ["rm", "rm", "ma"]
    assert record["figures"][2]["region_iou"] is None


def test_pictures_are_shown_as_they_are(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    show(save_model("m"), photo_folder / "0.png", out=tmp_path / "look")
    with Image.open(photo_folder / "0.png") as image, Image.open(tmp_path / "look/01-0/picture.png") as shown:
        enlarged = np.asarray(image.resize((320, 192), Image.Resampling.BICUBIC), np.float32)
        assert np.abs(np.asarray(shown, np.float32) - enlarged).max() <= 1


def test_a_string_is_one_picture_and_none_are_the_photographs(
    save_model: SaveModel, photo_folder: Path, tmp_path: Path
):
    model = save_model("m", task="mae")
    assert show(str(model), str(photo_folder / "3.png"), out=tmp_path / "a")[1]["pictures"] == ["3.png"]
    text, record = show(model, out=tmp_path / "b")
    assert record["pictures"] == ["chelsea.png", "coffee.png", "rocket.jpg"]
    assert "3 from the photographs of scikit-image" in text


def test_an_encoder_alone_shows_attention_and_features(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    rmae.export_timm(rmae.load(save_model("whole")), tmp_path / "encoder")
    text, record = show(tmp_path / "encoder", photo_folder, out=tmp_path / "look", num_images=2)
    assert "encoder is an encoder alone" in text
    assert {file.split("/")[-1].split("-")[0] for file in record["files"] if "/" in file} == {
        "picture.png", "attention", "heads", "features",
    }  # fmt: skip
    assert record["figures"] == []


def test_one_part_alone(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    text, record = show(save_model("ra", task="rae"), photo_folder / "0.png", out=tmp_path / "look")
    assert "ra has no pixel decoder, so it reconstructs no pixels." in text
    assert any("completed" in file for file in record["files"])
    assert not any("reconstruction" in file for file in record["files"])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_any_kind(save_model: SaveModel, tmp_path: Path, channels: int):
    pictures = tmp_path / "odd"
    pictures.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (40, 700, 4), dtype=np.uint8)
    Image.fromarray(noise[..., :3]).save(pictures / "panorama.png")
    Image.fromarray(noise).save(pictures / "alpha.png")
    Image.fromarray(noise[..., 0].T.copy()).save(pictures / "tower.jpg")
    Image.fromarray(noise[:1, :1, :3]).save(pictures / "dot.png")
    Image.fromarray(noise[..., 0].astype(np.uint16) * 99).save(pictures / "deep.png")
    _, record = show(
        save_model("m", channels=channels), pictures, out=tmp_path / "look", against=(save_model("three"), "scratch"),
        queries=((0.0, 1.0), (0.3, 0.4)),
    )  # fmt: skip
    assert record["pictures"] == ["alpha.png", "deep.png", "dot.png", "panorama.png", "tower.jpg"]
    assert record["left_out"] == {}
    with Image.open(tmp_path / "look" / "04-panorama" / "attention-2-scratch.png") as view:
        assert view.size == (640, 37)


def test_a_picture_that_cannot_be_read_is_left_out(
    save_model: SaveModel, photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (photo_folder / "2.png").write_bytes(b"no image")
    text, record = show(save_model("m"), [photo_folder / "none.png", photo_folder], out=tmp_path / "look")
    assert record["pictures"] == ["0.png", "1.png", "3.png", "4.png", "5.png"]
    assert "Left out: none.png, the file is missing." in text
    assert "Left out: 2.png, it is not an image in a form that can be read" in text
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "left out: none.png, the file is missing"
    assert printed[1].startswith("left out: 2.png, it is not an image")
    assert len(printed) == 2


def test_a_name_that_is_left_out_cannot_command_a_terminal(
    save_model: SaveModel, photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (photo_folder / "\x1b]0;mine\x07 caf\udce9.png").write_bytes(b"no image")
    show(save_model("m"), [photo_folder], out=tmp_path / "look")
    assert capsys.readouterr().out.splitlines()[0].startswith("left out: ?]0;mine? caf?.png, it is not an image")


def test_a_picture_without_regions_says_so(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    def of_some(image: np.ndarray, name: str) -> np.ndarray:
        if name == "0.png":
            raise ValueError("it is not listed")
        return rmae.Grid()(image, name)

    text, record = show(save_model("m"), photo_folder, out=tmp_path / "look", regions=of_some, num_images=6)
    assert text.count("No regions are known of this picture: it is not listed.") == 1
    assert {file.split("/")[0] for file in record["files"] if "completed" in file} == {
        f"0{i + 1}-{i}" for i in range(1, 6)
    }


def test_the_same_call_gives_the_same_files(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    model = save_model("m")
    for out in ("a", "b"):
        show(model, photo_folder, out=tmp_path / out, num_images=2)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    for name in files(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_patches_that_ask_are_the_same_for_all_encoders(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    models = [save_model("one"), save_model("two", seed=7, task="mae")]
    show(models[0], photo_folder / "0.png", out=tmp_path / "look", against=(models[1],), num_queries=3)
    for number in (1, 2, 3):
        frames = []
        for key in ("one", "two"):
            with Image.open(tmp_path / "look" / "01-0" / f"attention-{number}-{key}.png") as view:
                frames.append((np.asarray(view) == 255).all(axis=-1))
        np.testing.assert_array_equal(*frames)
        assert frames[0].any()


def test_an_earlier_page_is_replaced_whole(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    model, out = save_model("m", task="mae"), tmp_path / "look"
    out.mkdir()  # an empty folder is fine
    show(model, photo_folder, out=out, num_images=3)
    assert (out / "03-5").is_dir()
    _, record = show(model, photo_folder / "1.png", out=out)
    assert files(out) == set(record["files"])
    assert not (out / "03-5").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"m", "photos", "look"}


def test_a_link_stays_one(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.mkdir()
    link.symlink_to(target)
    config = rmae.VisualizeConfig(num_queries=1)
    page = rmae.visualize(save_model("m", task="mae"), photo_folder / "0.png", out=link, config=config)
    assert page == target / "index.html"
    assert link.is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"m", "photos", "target", "link"}


def test_names_that_end_alike_have_files_of_their_own(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    model, other = save_model("a", task="mae"), save_model("a-heads", task="mae")
    _, record = show(model, photo_folder / "0.png", out=tmp_path / "look", against=(other,), num_queries=1)
    views = {"attention-1-a.png", "attention-1-a-heads.png", "heads-1-a.png", "heads-1-a-heads.png"}
    assert {f"01-0/{view}" for view in views} <= set(record["files"])


def test_annotations_that_cannot_be_read_are_an_error(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    source = rmae.CocoInstances(annotations=(str(tmp_path / "none.json"),))
    with pytest.raises(ValueError, match=r"^the annotations .*none\.json cannot be read"):
        show(save_model("m"), photo_folder, out=tmp_path / "look", regions=source)


@pytest.mark.parametrize("name", ["notes.txt", "01-0/mine.png"])
def test_what_is_not_ours_is_left_alone(save_model: SaveModel, photo_folder: Path, tmp_path: Path, name: str):
    model, out = save_model("m", task="mae"), tmp_path / "look"
    show(model, photo_folder / "0.png", out=out)
    (out / name).write_text("mine")
    before = files(out)
    with pytest.raises(ValueError, match=f"^there is something else in {out} than an earlier page of rmae visualize"):
        show(model, photo_folder / "1.png", out=out)
    assert files(out) == before
    with pytest.raises(ValueError, match=f"^there is something else in {photo_folder}"):
        show(model, photo_folder, out=photo_folder)
    with pytest.raises(ValueError, match=r"/0.png is a file; choose a folder for the page \(--out\)$"):
        show(model, photo_folder, out=photo_folder / "0.png")


def test_names_are_text_and_files_have_plain_ones(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    name = "<b onclick='x'>ü & \"q\".png"
    (photo_folder / "0.png").rename(photo_folder / name)
    text, record = show(save_model("A b", task="mae"), photo_folder / name, out=tmp_path / "look")
    assert name in text
    assert "<b onclick" not in (tmp_path / "look" / "index.html").read_text()
    assert "01-b-onclick-x-q/features-a-b.png" in record["files"]


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"layer": 2}, "m: there is no layer 2; the encoder has 2, from 0 to 1, or -1 = the last"),
        ({"img_size": 50}, "m: img_size 50 is not divisible by patch_size 8"),
        ({"mask_ratios": (0.999,)}, "m: with mask_ratio 0.999 none of the 24 patches is visible"),
        ({"mask_ratios": (1.0,)}, "mask_ratios has 1.0; each must lie between 0 and 1, both excluded"),
        ({"region_ratios": (0.5, 0.0)}, "region_ratios has 0.0; each must lie between 0 and 1"),
        ({"num_images": 0}, "num_images is 0; it must be at least 1"),
        ({"num_queries": 0}, "num_queries is 0; it must be at least 1"),
        ({"num_regions": -1}, "num_regions is -1; it must be at least 1"),
        ({"queries": ((0.5, 1.5),)}, r"queries has \(0.5, 1.5\); give x and y of each point as shares of the picture"),
        ({"queries": ((0.5, float("nan")),)}, r"queries has \(0.5, nan\); give x and y"),
        ({"region_area": (0.5, 0.1)}, "region_area is 0.5 to 0.1; it must run from at least 0 to at most 1"),
        ({"img_size": (32, 0)}, r"img_size is \(32, 0\); every side must be at least 1 pixel"),
        ({"img_size": (32,)}, r"img_size is \(32,\); give one side, or height and width"),
        ({"seed": -1}, "seed is -1; it must be at least 0"),
    ],
)
def test_what_cannot_be_shown_is_said_and_nothing_is_left(
    save_model: SaveModel, photo_folder: Path, tmp_path: Path, knobs: dict, sentence: str
):
    model = save_model("m")
    with pytest.raises(ValueError, match=f"^{sentence}"):
        show(model, photo_folder, out=tmp_path / "look", **knobs)
    assert {path.name for path in tmp_path.iterdir()} == {"m", "photos"}


def test_pictures_that_cannot_be_read_at_all_are_an_error(save_model: SaveModel, tmp_path: Path):
    with pytest.raises(ValueError, match=r"^none of the pictures can be read; the first, a.png: the file is missing$"):
        show(save_model("m"), [tmp_path / "a.png", tmp_path / "b.png"], out=tmp_path / "look")
    assert not (tmp_path / "look").exists()


def test_weights_that_are_broken_are_said_with_their_name(save_model: SaveModel, photo_folder: Path, tmp_path: Path):
    broken = rmae.load(save_model("m", task="mae"))
    with torch.no_grad():
        broken.encoder.blocks[0].attn.qkv.weight[0, 0] = torch.nan
    broken.save_pretrained(tmp_path / "broken")
    with pytest.raises(ValueError, match=r"^broken: features are not finite; look for NaN"):
        show(tmp_path / "m", photo_folder / "0.png", out=tmp_path / "look", against=(tmp_path / "broken",))
