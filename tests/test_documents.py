"""What the README and the pages of docs tell people to type works."""

import json
import re
import shlex
from pathlib import Path

import pytest

from rmae import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """Contents of a page's blocks of code in one language, "" for what is typed into a terminal."""
    found = re.findall(r"```(\w*)\n(.*?)```", page.read_text(), re.DOTALL)
    return [block for written_in, block in found if written_in == language]


def commands() -> list[str]:
    """All commands, without what may stand before them to start them on many machines."""
    lines = [
        line.split("  #")[0].strip() for page in PAGES for block in blocks(page, "") for line in block.splitlines()
    ]
    return [line[line.index("rmae ") :] for line in lines if re.match(r"(rmae|torchrun|srun) ", line)]


def test_make_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    typed = [line for block in blocks(ROOT / "README.md", "") for line in block.splitlines()]
    targets = [line.split()[1] for line in typed if line.startswith("make ")]
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


TINY = ["--img-size", "64", "--batch-size", "1", "--repeats", "1"]
QUICKLY = {
    "data": [*TINY, "--seconds", "0.01", "--num-workers", "0", "--regions", "grid"],
    "clicks": ["--size", "micro", "--img-size", "64", "--picture-size", "48", "64", "--repeats", "1"],
    "flops": [*TINY, "--size", "micro", "--decoder-depth", "1"],
    "train": [*TINY, "--size", "micro", "--decoder-depth", "1", "--seconds", "0.01", "--regions", "grid"],
}
WRITTEN = {
    "clicks": {"clicks.json"},
    "data": {"data.json"},
    "flops": {"costs.json", "costs.png"},
    "train": {"speed.json", "profile.txt"},
}


def measured_last(line: str):
    """What measures takes seconds."""
    return pytest.param(line, marks=pytest.mark.slow) if line.startswith("rmae benchmark") else line


@pytest.mark.parametrize("line", [measured_last(line) for line in commands()])
def test_commands_are_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """All flags parse; what is missing in an empty folder is the data, the run, the weights or the store."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)[1:]
    if words[0] == "benchmark":
        words += QUICKLY[words[1]]
    code = cli.run(words)
    said = capsys.readouterr()
    if words[0] == "benchmark" and "/data" not in line:
        assert code == 0
        assert {path.name for path in tmp_path.iterdir()} == WRITTEN[words[1]]
    elif line == "rmae presets":
        assert code == 0
        assert "rmae-reference-code       113,737,728 parameters" in said.out
    else:
        assert code == 1
        missing = "the data folder .* does not exist|there is no (run in|region store) |there is nothing at "
        assert re.search(f"^rmae: ({missing})", said.err)


def run_example(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """Run the one example in Python of a page; returns its names."""
    monkeypatch.chdir(folder)
    [example] = blocks(page, "python")
    names = {}
    exec(compile(example, page.name, "exec"), names)
    return names


@pytest.mark.slow
def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    names = run_example(ROOT / "README.md", tmp_path, monkeypatch)
    assert names["run"] == Path("runs/mine")
    assert names["model"].config.mask_ratio == 0.6
    assert names["vit"] is names["model"].encoder


def test_the_example_of_the_page_about_regions_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    names = run_example(ROOT / "docs" / "regions.md", tmp_path, monkeypatch)
    assert names["config"].data.regions is names["bright_and_dark"]
    assert names["page"].stat().st_size > 10_000
    assert names["label_maps"].shape == (2, 48, 64)


@pytest.mark.slow
def test_the_example_of_the_page_about_evaluation_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    names = run_example(ROOT / "docs" / "evaluation.md", tmp_path, monkeypatch)
    assert 0 <= names["miou"] <= 1
    assert names["page"].stat().st_size > 10_000


def test_the_example_of_the_page_about_clicks_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    names = run_example(ROOT / "docs" / "interactive.md", tmp_path, monkeypatch)
    assert names["mask"].shape == (120, 160)
    assert names["mask"][60, 80]
    assert not names["mask"][10, 10]
    assert 0 <= names["confidence"] <= 1


@pytest.mark.slow
def test_the_example_of_the_page_about_looking_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    names = run_example(ROOT / "docs" / "visualize.md", tmp_path, monkeypatch)
    assert names["page"] == tmp_path / "look" / "index.html"
    assert "mine beside scratch" in names["page"].read_text()


FULL_MAE = 9_781e6  # MACs of an MAE that embeds and predicts all patches


def row_of_costs(name: str, row: dict) -> str:
    """A line of the table of costs in docs/choices.md."""
    share = f"{row['macs_region_branch'] / FULL_MAE:.2%}".replace("%", " %") if row["macs_region_branch"] else ""
    times = [row[f"{what}_over_mae"] for what in ("macs", "parameters", "peak_memory", "step")]
    cells = [f"{row['macs_forward'] / 1e6:,.0f} M", share, *(f"{number:.3f}" for number in times)]
    return f"| {name} | {' | '.join(cells)} |"


def test_costs_are_those_that_were_measured():
    page = (ROOT / "docs" / "choices.md").read_text()
    rows = {}
    for file in ("flops.json", "flops_neck.json"):
        rows |= {row["name"]: row for row in json.loads((ROOT / "benchmarks" / file).read_text())["rows"][1:]}
    assert len(rows) == 9
    for name, row in rows.items():
        words = re.sub(r"(region-variant|feeding) (\w+)", r"`\2`", name).replace("neck-depth 8", "`length`, neck of 8")
        assert row_of_costs(words, row) in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pictures_and_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_readme_has_pictures():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert len(pictures) == 2
    assert all((ROOT / picture).stat().st_size > 10_000 for picture in pictures)
