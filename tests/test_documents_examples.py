"""The examples in Python on the pages of docs run."""

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import rmae

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RunPage = Callable[[str], dict[str, Any]]


def examples(page: Path) -> list[str]:
    """Blocks of Python."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def run_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPage:
    """Runs the examples of a page in an empty folder, one after the other; returns their names."""

    def run(name: str) -> dict[str, Any]:
        monkeypatch.chdir(tmp_path)
        names: dict[str, Any] = {}
        for example in next(examples(page) for page in PAGES if page.name == name):
            exec(compile(example, name, "exec"), names)
        return names

    return run


def test_every_example_is_looked_at():
    """A page's example has a test below; that of own_images.md is run after its commands, in test_documents.py."""
    pages = {page.name for page in PAGES if examples(page)}
    run_here = set(re.findall(r'run_page\("([\w.]+)"\)', Path(__file__).read_text()))
    assert pages == run_here | {"own_images.md", "reproduce.md"}


@pytest.mark.slow
def test_the_example_of_the_readme_runs(run_page: RunPage):
    names = run_page("README.md")
    assert names["run"] == Path("runs/mine")
    assert names["model"].config.mask_ratio == 0.6
    assert names["vit"] is names["model"].encoder


def test_the_example_of_the_page_about_regions_runs(run_page: RunPage):
    names = run_page("regions.md")
    assert names["config"].data.regions is names["bright_and_dark"]
    assert names["page"].stat().st_size > 10_000
    assert names["label_maps"].shape == (2, 48, 64)


@pytest.mark.slow
def test_the_example_of_the_page_about_evaluation_runs(run_page: RunPage):
    names = run_page("evaluation.md")
    assert 0 <= names["miou"] <= 1
    assert names["page"].stat().st_size > 10_000


def test_the_example_of_the_page_about_clicks_runs(run_page: RunPage):
    names = run_page("interactive.md")
    assert names["mask"].shape == (120, 160)
    assert names["mask"][60, 80]
    assert not names["mask"][10, 10]
    assert 0 <= names["confidence"] <= 1


@pytest.mark.slow
def test_the_example_of_the_page_about_looking_runs(run_page: RunPage, tmp_path: Path):
    names = run_page("visualize.md")
    assert names["page"] == tmp_path / "look" / "index.html"
    assert "mine beside scratch" in names["page"].read_text()


def test_the_example_of_the_page_about_weights_runs(run_page: RunPage):
    names = run_page("weights.md")
    assert names["exported"].left_out == ("pixel decoder", "region branch")
    assert names["again"].config.image_hw == (64, 64)
    assert names["again"].pixel_mean == (0.5, 0.5, 0.5)
    assert names["larger"].config.image_hw == (96, 128)
    assert names["tokens"].shape == (1, 17, 128)


@pytest.mark.slow
def test_the_example_of_the_page_about_scenes_runs(run_page: RunPage, tmp_path: Path):
    for number, name in enumerate(f"{kind}/{i}" for kind in ("animals", "food") for i in range(4)):
        write_noise(tmp_path / "stamps" / f"{name}.png", number, (48, 56, 4))
    for number in range(4):
        write_noise(tmp_path / "photographs" / f"{number}.png", 10 + number, (140, 160, 3))
    run_page("scenes.md")
    assert len(list((tmp_path / "composed" / "train2017").iterdir())) == 400
    assert {path.name for path in (tmp_path / "composed-classes" / "train").iterdir()} == {"animals", "food"}


def write_noise(path: Path, seed: int, shape: tuple[int, int, int]) -> None:
    """A picture of many colours; of four channels, its border is transparent."""
    generator = np.random.default_rng(seed)
    pixels = (generator.integers(40, 216, 3) + generator.integers(-40, 40, (*shape[:2], 3))).astype(np.uint8)
    if shape[2] == 4:
        opaque = np.zeros((*shape[:2], 1), np.uint8)
        opaque[4:-4, 4:-4] = 255
        pixels = np.concatenate([pixels, opaque], axis=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_what_would_take_an_hour_is_called_as_it_can_be():
    [example] = examples(ROOT / "docs" / "reproduce.md")
    called = [node for node in ast.walk(ast.parse(example)) if isinstance(node, ast.Call)]
    checked = [
        inspect.signature(getattr(rmae, call.func.attr)).bind(
            *map(ast.literal_eval, call.args),
            **{keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg},
        )
        for call in called
        if isinstance(call.func, ast.Attribute)
    ]
    assert len(checked) == 2
