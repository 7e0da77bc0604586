"""The commands into which faults are injected, and what is to be true of their files at any moment and at the end."""

import hashlib
import json
import random
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from injection import require, run, run_watched

from rmae.data.shard_index import ShardIndex
from rmae.data.shards import INDEX
from rmae.training.metrics import read_metrics

TINY = (
    "--img-size", "32", "--patch-size", "8", "--depth", "1", "--num-heads", "2", "--decoder-embed-dim", "32",
    "--decoder-depth", "1", "--decoder-num-heads", "2", "--region-embed-dim", "16", "--region-encoder-num-heads", "2",
    "--region-decoder-num-heads", "2", "--crops-per-image", "4", "--held-out", "2", "--batch-size", "8", "--base-lr",
    "0.05", "--accelerator", "cpu", "--num-threads", "1", "--log-every", "1", "--regions", "felzenszwalb --scales 100",
)  # fmt: skip
_SOURCE = "felzenszwalb --scales 50 100 200 400 800"


class Target(Protocol):
    """A command that can be broken off at any moment."""

    name: str
    data: Path
    seconds_to_work: float
    """Until it writes something that is to last, where nothing disturbs it: mostly imports."""
    seconds_at_work: float
    """From then to its end."""
    largest: int
    """Bytes of the largest file that it writes at once, or a part of it."""

    def command(self, out: Path) -> list[str]:
        """What begins it, or goes on with it where it has begun."""
        ...

    def is_at_work(self, out: Path) -> bool:
        """Whether it has begun to write what is to last."""
        ...

    def written(self, out: Path) -> object:
        """Something that is another thing whenever it has written what is to last."""
        ...

    def is_critical(self, out: Path) -> bool:
        """Whether this is a moment at which breaking it off is meant to hurt most."""
        ...

    def check_files(self, out: Path) -> dict[str, Any]:
        """Look at what a broken-off command left; every file that can be read is whole.

        Returns:
            What it was at (`found`), how much is kept whatever happens (`kept`), and more.
        """
        ...

    def check_end(self, out: Path) -> None:
        """Check that it ended as if nothing had disturbed it."""
        ...


def draw_pictures(folder: Path, number: int, said: Path, *, side: int = 96) -> Path:
    """Scenes to train on, of which one file is no image."""
    run(["scenes", str(folder), "--num-train", str(number), "--num-val", "4", "--img-size", str(side)], said)
    (folder / "train2017" / "torn.jpg").write_bytes(b"no image")
    return folder


class Training:
    """`rmae pretrain` with one worker.

    Args:
        name: What it is called.
        data: Pictures.
        workspace: Where the undisturbed run is made.
        flags: Of the model and the length of the run.
        interval: Updates between two checkpoints.
    """

    def __init__(self, name: str, data: Path, workspace: Path, flags: Sequence[str], *, interval: int) -> None:
        self.name, self.data, self.interval = name, data, interval
        self._flags = [*TINY, "--num-workers", "1", *flags, "--checkpoint-every", str(interval)]
        whole = workspace / "undisturbed" / name
        # With a checkpoint of every update, so that whatever a broken-off run leaves can be compared.
        command = [*self.command(whole), "--checkpoint-every", "1", "--keep-every", "1"]
        self.seconds_to_work, self.seconds_at_work = run_watched(command, workspace, lambda: self.is_at_work(whole))
        self._expected = {path.name: _digests(path) for path in (whole / "checkpoints").iterdir()}
        self._lines = _losses(whole)
        self.largest = max(path.stat().st_size for path in whole.glob("checkpoints/*/*"))
        shutil.rmtree(whole)

    def command(self, out: Path) -> list[str]:
        """What begins the run, or goes on with it where it has begun."""
        if (out / "config.json").exists():
            return ["pretrain", "--resume", "--out", str(out)]
        store = self.data.parent / "training.regions"
        regions = ["--region-store", str(store)]
        return ["pretrain", "--data", str(self.data), "--out", str(out), *regions, *self._flags]

    def is_at_work(self, out: Path) -> bool:
        """Whether there is a checkpoint."""
        return any(out.glob("checkpoints/update_*"))

    def written(self, out: Path) -> object:
        """Metrics have a line more with each update."""
        return _size(out / "metrics.jsonl")

    def is_critical(self, out: Path) -> bool:
        """While a checkpoint is written, where there is one of each update."""
        return self.interval > 1 or any(out.glob("checkpoints/.update_*.partial"))

    def updates(self, out: Path) -> tuple[int, int]:
        """How many updates are done, and how many are kept in a checkpoint."""
        lines = read_metrics(out / "metrics.jsonl")
        kept = [int(path.name.removeprefix("update_")) for path in out.glob("checkpoints/update_*")]
        return int(lines[-1]["update"] or 0) if lines else 0, max(kept, default=0)

    def check_files(self, out: Path) -> dict[str, Any]:
        """Each checkpoint is that of the undisturbed run to the bit, and at most one interval is lost."""
        for checkpoint in out.glob("checkpoints/update_*"):
            found, expected = _digests(checkpoint), self._expected.get(checkpoint.name)
            require(found == expected, f"{checkpoint.name} is not whole, or not that of the undisturbed run")
        require(_losses(out) == self._lines[: len(_losses(out))], "metrics.jsonl is not that of the undisturbed run")
        done, kept = self.updates(out)
        require(done - kept <= self.interval, f"{done - kept} updates are lost, with checkpoints every {self.interval}")
        require(done >= kept, f"the run is at update {done}, though there is a checkpoint of update {kept}")
        if any(out.glob("checkpoints/.update_*.partial")):
            found = "writing a checkpoint"
        elif any(out.glob("checkpoints/.update_*")):
            found = "deleting a checkpoint"
        else:
            found = "between checkpoints" if done else "before the first update"
        return {"found": found, "kept": kept, "updates_lost": done - kept, "interval": self.interval}

    def check_end(self, out: Path) -> None:
        """The last checkpoint and all metrics are those of the undisturbed run."""
        newest = max((path.name for path in out.glob("checkpoints/update_*")), default="none")
        require(newest == max(self._expected), f"the run ended with {newest} and not with {max(self._expected)}")
        self.check_files(out)
        require(_losses(out) == self._lines, "metrics.jsonl is shorter than that of the undisturbed run")
        require((out / "report.html").exists(), "there is no report")
        leftovers = [path.name for path in out.glob("checkpoints/.*")]
        require(not leftovers, f"{leftovers} were left in the folder of checkpoints")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def _losses(run_folder: Path) -> list[dict[str, float | None]]:
    lines = read_metrics(run_folder / "metrics.jsonl")
    return [{name: value for name, value in line.items() if name != "images_per_s"} for line in lines]


class Packing:
    """`rmae pack` with two workers and regions."""

    name = "packing"

    def __init__(self, data: Path, workspace: Path) -> None:
        self.data = data
        whole = workspace / "undisturbed" / "packed"
        self.seconds_to_work, self.seconds_at_work = run_watched(
            self.command(whole), workspace, lambda: self.is_at_work(whole)
        )
        self._expected, self._index = _contents(whole), whole / INDEX
        self.largest = max(map(len, self._expected.values()))

    def command(self, out: Path) -> list[str]:
        """The same at the beginning and later."""
        flags = ["--regions", _SOURCE, "--images-per-shard", "40", "--short-side", "64", "--num-workers", "2"]
        return ["pack", str(self.data), str(out), *flags]

    def is_at_work(self, out: Path) -> bool:
        """Whether there is a shard or some of one."""
        return any(map(_size, out.glob("shard-*.tar*")))

    def written(self, out: Path) -> object:
        """Shards grow."""
        return {path.name: _size(path) for path in out.glob("shard-*.tar*")}

    def is_critical(self, out: Path) -> bool:
        """At any time."""
        return True

    def check_files(self, out: Path) -> dict[str, Any]:
        """Each shard in its place is that of the undisturbed call to the byte, and so is the index."""
        for path in [*out.glob("shard-*.tar"), *out.glob(INDEX)]:
            require(path.read_bytes() == self._expected[path.name], f"{path.name} is not that of the undisturbed call")
        for path in out.glob("shard-*.index"):
            ShardIndex.read(path)
        kept = len(list(out.glob("shard-*.tar")))
        if (out / INDEX).exists():
            found = "clearing up"
        elif any(out.glob("shard-*.tar.partial")):
            found = "writing a shard"
        else:
            found = "between shards" if kept else "before the first shard"
        return {"found": found, "kept": kept}

    def check_end(self, out: Path) -> None:
        """All files are those of the undisturbed call."""
        found = _contents(out)
        require(found == self._expected, f"{sorted(found.keys() ^ self._expected.keys()) or 'contents'} differ")

    def check_without(self, out: Path, gone: set[str]) -> tuple[int, int]:
        """Check a call from under which files were taken; returns how many of them it lists, and how many it lacks."""
        index, whole = ShardIndex.read(out / INDEX), ShardIndex.read(self._index)
        listed = _check_skipped(dict(index.skipped), set(index.names), gone, set(whole.names))
        lacking = len(gone - set(index.names))
        require(listed == lacking, f"{lacking - listed} were deleted and are neither used nor listed")
        return listed, lacking


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Regions:
    """`rmae regions make` with two workers."""

    name = "regions"

    def __init__(self, data: Path, workspace: Path) -> None:
        self.data = data
        whole = workspace / "undisturbed" / "made" / "a.regions"
        self.seconds_to_work, self.seconds_at_work = run_watched(
            self.command(whole), workspace, lambda: self.is_at_work(whole.parent)
        )
        self._expected = _rows(whole)
        self.largest = whole.stat().st_size

    def command(self, out: Path) -> list[str]:
        """The same at the beginning and later."""
        store = out if out.suffix == ".regions" else out / "a.regions"
        return ["regions", "make", str(self.data), str(store), "--source", _SOURCE, "--num-workers", "2"]

    def is_at_work(self, out: Path) -> bool:
        """Whether there is some of a store."""
        return any(map(_size, out.glob("a.regions*")))

    def written(self, out: Path) -> object:
        """The store grows, and so does what SQLite keeps beside it until a commit."""
        return {path.name: _size(path) for path in out.glob("a.regions*")}

    def is_critical(self, out: Path) -> bool:
        """At any time."""
        return True

    def check_files(self, out: Path) -> dict[str, Any]:
        """A store in its place is whole, and so is every image of an unfinished one."""
        in_a_commit = any(path.read_bytes()[:1] not in (b"", b"\0") for path in out.glob("*-journal"))
        scratch = out.with_name(f"{out.name} copied")  # since opening what was killed within a commit mends it
        if out.exists():
            shutil.copytree(out, scratch)
        rows = [_rows(path) for path in scratch.glob("a.regions*") if path.suffix in (".regions", ".partial")]
        shutil.rmtree(scratch, ignore_errors=True)
        images = {name: row for found in rows for name, row in found["images"].items()}
        require(images.items() <= self._expected["images"].items(), "images of the store differ from the undisturbed")
        if (out / "a.regions").exists():
            return {"found": "done", "kept": len(images)}
        found = "within a commit" if in_a_commit else "at work" if images else "before the first commit"
        return {"found": found, "kept": len(images)}

    def check_end(self, out: Path) -> None:
        """Header, images and skipped images are those of the undisturbed call, and nothing else is left."""
        require(_rows(out / "a.regions") == self._expected, "the store differs from the undisturbed one")
        left = [path.name for path in out.iterdir()]
        require(left == ["a.regions"], f"{left} were left")

    def check_without(self, out: Path, gone: set[str]) -> tuple[int, int]:
        """Check a call from under which files were taken; returns how many of them it lists, and how many it lacks."""
        found = _rows(out / "a.regions")
        require(found["images"].items() <= self._expected["images"].items(), "images differ from the undisturbed")
        listed = _check_skipped(found["skipped"], set(found["images"]), gone, set(self._expected["images"]))
        return listed, len(gone - found["images"].keys())


def _rows(store: Path) -> dict[str, Any]:
    """All that a store holds, read without any code of ours, after SQLite found it in order."""
    with closing(sqlite3.connect(store)) as connection:
        [(state,)] = connection.execute("PRAGMA integrity_check").fetchall()
        require(state == "ok", f"SQLite finds {store.name} damaged: {state}")
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchall():
            return {"images": {}, "skipped": {}}
        [(header,)] = connection.execute("SELECT header FROM header").fetchall()
        images = {row[0]: row[1:] for row in connection.execute("SELECT * FROM images").fetchall()}
        skipped = dict(connection.execute("SELECT name, reason FROM skipped").fetchall())
    return {"header": json.loads(header), "images": images, "skipped": skipped}


def _check_skipped(skipped: dict[str, str], used: set[str], gone: set[str], usable: set[str]) -> int:
    listed = {name for name, reason in skipped.items() if reason == "the file is missing"}
    require(listed <= gone, f"{sorted(listed - gone)[:3]} are listed as missing, though they were not deleted")
    require(usable - gone <= used, f"{sorted(usable - gone - used)[:3]} were not deleted and are not used")
    return len(listed)


def target(kind: str, workspace: Path) -> Training | Packing | Regions:
    """Make the data of a command, and what it makes undisturbed.

    Args:
        kind: training, checkpointing, packing or regions.
        workspace: An empty folder.
    """
    workspace.mkdir()
    match kind:
        case "training":
            data = draw_pictures(workspace / "data", 60, workspace)
            return Training(kind, data, workspace, ["--embed-dim", "32", "--updates", "150"], interval=10)
        case "checkpointing":
            data = draw_pictures(workspace / "data", 60, workspace)
            return Training(kind, data, workspace, ["--embed-dim", "256", "--updates", "80"], interval=1)
        case "packing":
            return Packing(draw_pictures(workspace / "data", 400, workspace, side=224), workspace)
        case "regions":
            return Regions(draw_pictures(workspace / "data", 400, workspace, side=224), workspace)
        case _:
            raise ValueError(f"there is no command {kind}")


def take_away(data: Path, number: int, chance: random.Random) -> dict[str, bytes]:
    """Delete pictures of a data set; returns them by name, to be put back."""
    names = sorted(f"train2017/{path.name}" for path in (data / "train2017").glob("*.*") if path.name != "torn.jpg")
    taken = {name: (data / name).read_bytes() for name in chance.sample(names, number)}
    for name in taken:
        (data / name).unlink()
    return taken
