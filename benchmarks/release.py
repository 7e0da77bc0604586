"""Builds the release and tries it: the wheel alone in a new environment, then the fast tests on it.

python benchmarks/release.py --json benchmarks/release.json
python benchmarks/release.py --lowest --json benchmarks/release.json    # with the oldest torch that is promised

What is not committed is left out. It takes a quarter of an hour and 6 GB.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rmae.files import read_json, write_json

ROOT = Path(__file__).parents[1]
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # nothing before the wheel
LOWEST = ("torch", "torchvision", "timm")
"""Packages whose oldest promised version is tried."""
_SHOWN = ("torch", "torchvision", "timm", "lightning-fabric", "numpy", "pillow", "transformers", "gradio")
_NAMED_EXTRAS = {
    "app": ("app", "MODEL"),
    "sam": ("regions", "make", "PHOTOS", "sam.regions", "--source", "sam --checkpoint MODEL"),
    "datasets": ("regions", "make", "PARQUET", "parquet.regions", "--source", "grid"),
}
"""A command for each extra without which a command fails, and which it then has to name. Without the others less is
done: compressed TIFFs of many bands are skipped, for a reason that names `bands`, the clicks' evaluation leaves GrabCut
out (`interactive`), and `interop` is for those who open exported weights in transformers."""
_VERSIONS = """
import json, platform
from importlib.metadata import version
import rmae
print(json.dumps([rmae.__file__, platform.python_version(), {name: version(name) for name in NAMES}]))
"""


def say(*words: str, cwd: Path, fails: bool = False) -> str:
    """Run a command that is to succeed, or to fail; returns what it printed."""
    print("$", *words, flush=True)
    ended = subprocess.run(words, cwd=cwd, env=_ENVIRONMENT, capture_output=True, text=True, check=False)
    if (ended.returncode != 0) != fails:
        raise SystemExit(f"{' '.join(words)} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
    return ended.stdout + ended.stderr


def lowest_versions() -> list[str]:
    """The lower bounds of pyproject.toml as pins: `torch==2.11.*`."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    bounds = dict(line.split(">=") for line in needed)
    return [f"{name}=={bounds[name]}" + ("" if bounds[name].count(".") > 1 else ".*") for name in LOWEST]


def build(checkout: Path) -> list[Path]:
    """Build the source distribution, and the wheel from it."""
    say(sys.executable, "-m", "build", "--outdir", "dist", cwd=checkout)
    built = sorted((checkout / "dist").iterdir())
    if [path.suffix for path in built] != [".whl", ".gz"]:
        raise SystemExit(f"not a source distribution and a wheel were built, but {built}")
    return built


def extras_named(programs: Path, folder: Path) -> list[str]:
    """What a user without extras is told to install; raises where it is not named."""
    named = []
    (folder / "photos").mkdir()
    (folder / "parquet").mkdir()
    (folder / "parquet" / "train-0.parquet").write_bytes(b"PAR1")
    say(str(programs / "python"), "-c", _PHOTOS, "photos", cwd=folder)
    say(str(programs / "rmae"), "pretrain", "--data", "photos", "--out", "model", *_TINY, cwd=folder)
    places = {"MODEL": "model", "PHOTOS": "photos", "PARQUET": "parquet"}
    for extra, command in _NAMED_EXTRAS.items():
        words = [re.sub("[A-Z]+$", lambda word: places[word[0]], word) for word in command]
        said = say(str(programs / "rmae"), *words, cwd=folder, fails=True)
        if f"pip install 'rmae[{extra}]'" not in said:
            raise SystemExit(f"rmae {' '.join(words)} does not name its extra: {said}")
        named.append(extra)
    return named


_PHOTOS = """
import sys
from pathlib import Path
from PIL import Image
from skimage import data
for name in ("astronaut", "coffee", "chelsea", "rocket"):
    Image.fromarray(getattr(data, name)()).resize((64, 64)).save(Path(sys.argv[1]) / f"{name}.png")
"""
_TINY = (
    "--img-size", "32", "--patch-size", "8", "--embed-dim", "32", "--depth", "1", "--num-heads", "2", "--updates", "2",
    "--batch-size", "2", "--held-out", "1", "--regions", "grid",
)  # fmt: skip


def run_tests(programs: Path, checkout: Path) -> dict[str, Any]:
    """Run the fast tests of a checkout on what is installed."""
    results = checkout / "results.xml"
    print("$ pytest", flush=True)
    ended = subprocess.run(
        [str(programs / "python"), "-m", "pytest", "-n", "auto", "--dist", "worksteal", "-q", f"--junit-xml={results}"],
        cwd=checkout, env=_ENVIRONMENT, check=False,
    )  # fmt: skip
    suite = ElementTree.parse(results).getroot()[0].attrib
    failed = int(suite["failures"]) + int(suite["errors"])
    return {
        "passed": int(suite["tests"]) - failed - int(suite["skipped"]), "failed": failed,
        "skipped": int(suite["skipped"]), "seconds": round(float(suite["time"])), "code": ended.returncode,
    }  # fmt: skip


def try_release(folder: Path, pins: Sequence[str]) -> dict[str, Any]:
    """Build, install and test; returns what came of it."""
    checkout, environment = folder / "checkout", folder / "environment"
    say("git", "clone", "--quiet", str(ROOT), str(checkout), cwd=folder)
    built = build(checkout)
    say(sys.executable, "-m", "venv", str(environment), cwd=folder)
    programs, wheel = environment / "bin", str(built[0])
    say(str(programs / "python"), "-m", "pip", "install", "--quiet", wheel, *pins, cwd=folder)
    named = extras_named(programs, folder)
    say(str(programs / "python"), "-m", "pip", "install", "--quiet", f"{wheel}[dev]", *pins, cwd=folder)
    place, python, versions = json.loads(
        say(str(programs / "python"), "-c", _VERSIONS.replace("NAMES", repr(_SHOWN)), cwd=folder)
    )
    if not Path(place).is_relative_to(environment):
        raise SystemExit(f"what is tried is not the wheel, but {place}")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": say("git", "rev-parse", "--short=12", "HEAD", cwd=checkout).strip(),
        "built": {path.name: path.stat().st_size for path in built},
        "python": python, "packages": versions, "extras_named_when_missing": named,
        "fast_tests": run_tests(programs, checkout),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lowest", action="store_true", help=f"with the oldest promised {', '.join(LOWEST)}")
    parser.add_argument("--json", type=Path, required=True, help="file of the record; one for both ways")
    flags = parser.parse_args()
    if find_spec("build") is None:
        raise SystemExit("building needs the package build: pip install -e '.[dev]'")
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        found = try_release(Path(folder), lowest_versions() if flags.lowest else [])
    record = read_json(flags.json) if flags.json.exists() else {"format": "release", "version": 1}
    write_json(flags.json, {**record, "lowest" if flags.lowest else "newest": found})
    return int(found["fast_tests"]["code"] != 0)


if __name__ == "__main__":
    sys.exit(main())
