"""What the README and the pages of docs tell people to type works, block by block."""

import json
import re
import shlex
import shutil
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from markdown_it import MarkdownIt

import rmae
import tiff_files
from encoded_pictures import encode
from rmae import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BASH = shutil.which("bash") or "bash"
LAUNCHERS = ("torchrun", "srun")
NOT_RUN = {"apt-get": "it downloads from Debian's servers", "dpkg": "it unpacks what apt-get downloaded"}
PROGRAMS = ("rmae", "make", *LAUNCHERS, *NOT_RUN)
WALK = ROOT / "docs" / "own_images.md"
UNTAGGED = {"cli/": "map"}
"""What a block is that does not say so, by its first word."""


class Block(NamedTuple):
    """A block of code on a page."""

    page: Path
    kind: str
    text: str


@cache
def blocks() -> tuple[Block, ...]:
    """All blocks of all pages, fenced or indented."""
    found = []
    for page in PAGES:
        for token in MarkdownIt().parse(page.read_text()):
            if token.type in ("fence", "code_block"):
                kind = token.info or UNTAGGED.get(token.content.split(maxsplit=1)[0], "no kind")
                found.append(Block(page, kind, token.content))
    return tuple(found)


@cache
def typed_in(block: Block) -> subprocess.CompletedProcess[str]:
    """What bash makes of a block where nothing but known programs can be called, and these only say how they were."""
    record = "record() { printf '%s\\0' \"$@\"; printf '\\n\\0'; }\n"
    stand_ins = "".join(f'{program}() {{ record {program} "$@"; }}\n' for program in PROGRAMS)
    command = [BASH, "-euc", record + stand_ins + block.text]
    return subprocess.run(command, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False)


def calls(page: Path | None = None) -> list[list[str]]:
    """All calls of programs in all blocks, or those of one page, each once, as lists of words."""
    found: dict[tuple[str, ...], None] = {}
    for block in blocks():
        if block.kind == "sh" and page in (None, block.page):
            for call in typed_in(block).stdout.split("\0\n\0")[:-1]:
                found[tuple(call.split("\0"))] = None
    return [list(words) for words in found]


def lines() -> list[str]:
    """All calls of rmae, without what may stand before them to start them on many machines."""
    found = [words[words.index("rmae") :] for words in calls() if words[0] in ("rmae", *LAUNCHERS)]
    return list(dict.fromkeys(map(shlex.join, found)))


@pytest.mark.parametrize("block", blocks(), ids=lambda block: f"{block.page.name}: {block.text.splitlines()[0][:40]}")
def test_blocks_are_of_a_known_kind(block: Block):
    """Commands (sh), Python, what rmae prints (text), the map of the code: each is looked at by a test here."""
    assert block.kind in ("sh", "python", "text", "map"), "say what it is: ```sh, ```python or ```text"
    if block.kind == "sh":
        done = typed_in(block)
        assert done.returncode == 0, f"only {', '.join(PROGRAMS)} are known here: {done.stderr}"
        assert done.stdout


def test_make_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    targets = {words[1] for words in calls() if words[0] == "make"}
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_what_is_not_run_is_still_told():
    assert NOT_RUN.keys() <= {words[0] for words in calls()}


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
MISSING = (
    "the data folder .* does not exist|there is no (run in|region store|folder) |there is nothing at |"
    "the folder of cut-outs, .*, does not exist"
)


def measured_last(line: str):
    """What measures takes seconds."""
    return pytest.param(line, marks=pytest.mark.slow) if line.startswith("rmae benchmark") else line


@pytest.mark.parametrize("line", [measured_last(line) for line in lines()])
def test_commands_are_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """All flags parse; what is missing in an empty folder is the data, the run, the weights or the store."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)[1:]
    match words:
        case ["benchmark", what, *_]:
            words += QUICKLY[what]
        case ["scenes", *_]:
            words += ["--num-train", "6", "--num-val", "3", "--img-size", "32"]
        case ["reproduce", *_]:
            words += ["--dry-run"]
        case ["results", *_]:
            (tmp_path / "docs").mkdir()
        case _:
            pass
    code = cli.run(words)
    said = capsys.readouterr()
    if words[0] == "benchmark" and "/data" not in line:
        assert code == 0
        assert {path.name for path in tmp_path.iterdir()} == WRITTEN[words[1]]
    elif line == "rmae presets":
        assert code == 0
        assert "rmae-reference-code       113,737,728 parameters" in said.out
    elif words[0] in ("scenes", "reproduce") and "--cut-outs" not in words:
        assert code == 0
        assert re.search("^made: " if words[0] == "scenes" else "^rmae ", said.out, re.MULTILINE)
    else:
        assert code == 1
        assert re.search(f"^rmae: ({MISSING})", said.err)


LARGE = {"/data/coco-packed": "packed", "/data/coco": "coco", "/data/ade20k": "coco", "/data/imagenet": "classes"}
"""What stands for data sets that few have at hand."""
SMALL = {
    "shapes": "coco", "pictures": "coco", "photos": "photos", "cat.jpg": "photos/0.png",
    "coco.regions": "coco.regions", "photos.regions": "coco.regions", "imagenet-parquet": "parquet",
    "ade20k-parquet": "parquet", "sentinel": "bands",
}  # fmt: skip
ONLY_PARSED = {
    "rmae app": "it serves until it is stopped; tests/app opens it",
    "rmae reproduce": "it takes minutes to days; its commands are printed above, and tests/reproduction runs some",
    "rmae results": "it needs records; tests/cli/test_results.py has some",
    "rmae presets": "it is run above",
    "rmae scenes": "it is run above, and with cut-outs in tests/cli/test_scenes.py",
}
MODEL = [
    "--img-size", "32", "--patch-size", "8", "--embed-dim", "32", "--depth", "1", "--num-heads", "2",
    "--decoder-embed-dim", "32", "--decoder-depth", "1", "--decoder-num-heads", "2", "--region-embed-dim", "16",
    "--region-encoder-num-heads", "2", "--region-decoder-num-heads", "2",
]  # fmt: skip
HERE = ["--accelerator", "cpu", "--devices", "1"]
BRIEFLY = ["--epochs", "None", "--updates", "2", "--batch-size", "4", "--num-workers", "0"]
ON_CPU = ["--precision", "float32", "--no-compile"]
TASK = ["--accelerator", "cpu", "--devices", "1", "--num-workers", "0", "--img-size", "64", "--scratch-patch-size", "8"]
TRAINED = ["--updates", "2", "--batch-size", "2", "--seeds", "1"]
LOOKING = ["--num-images", "1", "--img-size", "32", "--layer", "0", "--num-regions", "1", "--mask-ratios", "0.75"]


def in_small(words: list[str], sam: Path) -> list[str]:
    """A call with small data and a small model in place of what it names, and flags that make it quick."""
    words = [
        {"vit_base_patch16_224.mae": "scratch", "facebook/sam-vit-base": str(sam)}.get(word, word) for word in words
    ]
    words = ["small" if before == "--size" and word == "paper" else word for before, word in pairwise(["", *words])]
    match words:
        case ["benchmark", what, *_]:
            return [*words, *QUICKLY[what]]
        case ["pretrain", *_] if "--resume" in words:
            return [*words, *HERE]
        case ["pretrain", *_]:
            return [*words, *MODEL, *BRIEFLY, *HERE, *ON_CPU]
        case ["evaluate", "interactive", *_]:
            return [
                *words,
                *HERE,
                "--max-objects",
                "2",
                "--max-clicks",
                "2",
                "--num-workers",
                "0",
                "--num-resamples",
                "9",
            ]
        case ["evaluate", "knn" | "localise", *_]:
            return [*words, *TASK]
        case ["evaluate", *_]:
            return [*words, *TASK, *TRAINED]
        case ["visualize", *_]:
            return [*words, *LOOKING]
        case ["regions", "make", *_]:
            return [*words, "--num-workers", "0"]
        case ["pack", data, _, *flags]:
            return ["pack", data, "shards", *flags, "--num-workers", "0"]
        case _:
            return words


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, lasting_photo_folder: Path, tiny_config: rmae.PretrainConfig
) -> Path:
    """Small data sets, a store of regions and a run; not to be changed."""
    root = tmp_path_factory.mktemp("world")
    shutil.copytree(lasting_photo_folder, root / "photos")
    coco = rmae.make_scenes(root / "coco", num_train=8, num_val=4, size_hw=(64, 64))
    rmae.make_class_scenes(root / "classes", num_train=6, num_val=3, size_hw=(40, 40))
    rmae.make_regions(coco, root / "coco.regions", source=rmae.Felzenszwalb(), num_workers=0)
    rmae.pack(coco, root / "packed", num_workers=0)
    rmae.pretrain(tiny_config, data=root / "photos", out=root / "run")
    (root / "parquet").mkdir()
    pictures, labels = ([encode(np.full((40, 48), value, np.uint8)) for value in some] for some in (range(8), [3] * 8))
    pq.write_table(pa.table({"image": pictures, "annotation": labels}), root / "parquet" / "train.parquet")
    (root / "bands").mkdir()
    for number in range(8):
        tiff_files.write(root / "bands" / f"{number}.tif", tiff_files.noise(13))
    return root


def walked() -> list[list[str]]:
    """The commands of the walk with images of one's own, in order; the last one of its page is for larger data."""
    *calls_of_page, larger = calls(WALK)
    assert "rmae-imagenet-vit-b-fh" in larger
    return calls_of_page


def runnable() -> list[str]:
    """Commands that work on data, but those that other tests here run on data of their own."""
    of_their_own = [line for line in lines() if line.startswith("rmae benchmark") and "/data" not in line]
    of_their_own += map(shlex.join, walked())
    return [line for line in lines() if not line.startswith(tuple(ONLY_PARSED)) and line not in of_their_own]


def test_what_is_only_parsed_is_still_told():
    assert [start for start in ONLY_PARSED if not any(line.startswith(start) for line in lines())] == []


@pytest.mark.slow
@pytest.mark.parametrize("line", runnable())
def test_commands_do_what_they_say_in_small(
    line: str, world: Path, sam_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    for large, small in LARGE.items():
        line = re.sub(rf"{large}(?![\w-])", str(world / small), line)
    words = in_small(shlex.split(line)[1:], sam_checkpoint)
    new = {after for before, after in pairwise(words) if before == "--out" and "--resume" not in words}
    if words[:2] == ["regions", "make"]:
        new.add(words[3])
    for word in shlex.split(" ".join(words)):
        name = word.removeprefix("./").partition("/annotations")[0]
        master = "run" if re.fullmatch(r"runs/[\w-]+", name) else SMALL.get(name)
        if master is None or {word, name} & new or Path(name).exists():
            continue
        Path(name).parent.mkdir(exist_ok=True)
        (shutil.copytree if (world / master).is_dir() else shutil.copy)(world / master, name)
    assert cli.run(words) == 0


SHORT = {
    "scenes": ["--num-train", "8", "--num-val", "4", "--img-size", "64"],
    "pretrain": ["--updates", "2", "--batch-size", "2", "--num-workers", "0", "--log-every", "1"],
    "evaluate": ["--updates", "2", "--batch-size", "2", "--num-workers", "0", "--num-examples", "1"],
}


@pytest.mark.slow
def test_the_walk_with_images_of_your_own_leads_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """The page's commands one after the other, on fewer pictures and for two updates, and then its Python."""
    monkeypatch.chdir(tmp_path)
    for _, *words in walked():
        assert cli.run([*words, *SHORT.get(words[0], [])]) == 0, words
    assert (tmp_path / "runs/pictures/report.html").exists()
    assert (tmp_path / "did/scratch/report.html").exists()
    [example] = [block.text for block in blocks() if block.page == WALK and block.kind == "python"]
    names: dict[str, Any] = {}
    exec(compile(example, WALK.name, "exec"), names)
    assert names["features"].shape == (1, 128)


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
