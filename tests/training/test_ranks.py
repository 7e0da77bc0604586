"""Processes that train together: their places, their shares of the data, and how one of them fails."""

import itertools
import json
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import rmae
from rmae.config import LossConfig
from rmae.data.order import BatchOrder, SampleKey
from rmae.data.samples import PretrainSamples, collate
from rmae.interruption import StopSignal
from rmae.training import processes
from rmae.training.devices import check_accelerator
from rmae.training.launch import Launch, first_node, is_first, is_first_here, read_launch
from rmae.training.metrics import MetricLog
from rmae.training.news import News
from rmae.training.processes import run_on_ranks
from rmae.training.ranks import cores_for_each, open_ranks
from rmae.training.run_folder import RunFolder
from rmae.training.step import PretrainStep

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none", "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4",
    "GROUP_WORLD_SIZE": "2", "MASTER_ADDR": "gpu01", "MASTER_PORT": "29500",
}  # fmt: skip
SRUN = {
    "SLURM_JOB_ID": "81234", "SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2",
    "SLURM_PROCID": "5", "SLURM_LOCALID": "1", "SLURM_STEP_NODELIST": "gpu[03-04]",
}  # fmt: skip


# Where a process stands


def test_torchrun_says_where_a_process_stands():
    launch = read_launch(TORCHRUN | SRUN)  # torchrun may have been started by srun
    assert launch == Launch(5, 8, 1, 4, "gpu01", 29500)
    assert launch.num_nodes == 2


def test_srun_says_where_a_process_stands():
    assert read_launch(SRUN) == Launch(5, 8, 1, 4, "gpu03", 16234)
    assert read_launch(SRUN | {"MASTER_ADDR": "a", "MASTER_PORT": "7"}) == Launch(5, 8, 1, 4, "a", 7)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"SLURM_NTASKS": "8", "SLURM_JOB_ID": "1", "SLURM_PROCID": "0"},  # in an sbatch script, before srun
        SRUN | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"},
        {"WORLD_SIZE": "1"},
    ],
    ids=["nothing", "sbatch", "one task", "one process"],
)
def test_one_process_by_itself_is_no_launch(environ: dict[str, str]):
    assert read_launch(environ) is None
    assert is_first(environ)
    assert is_first_here(environ)


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"WORLD_SIZE": "4"}, "WORLD_SIZE is 4, but neither torchrun nor srun started this process"),
        (SRUN | {"SLURM_STEP_NUM_TASKS": "7"}, r"7 processes are not spread evenly over 2 machine\(s\)"),
        (SRUN | {"SLURM_LOCALID": "2"}, "processes of one machine must follow one another; .* --distribution=block"),
    ],
)
def test_launches_that_cannot_work_are_refused(environ: dict[str, str], sentence: str):
    with pytest.raises(ValueError, match=sentence):
        read_launch(environ)


@pytest.mark.parametrize(
    ("start", "rank", "local"), [(TORCHRUN, "RANK", "LOCAL_RANK"), (SRUN, "SLURM_PROCID", "SLURM_LOCALID")]
)
def test_one_process_talks(start: dict[str, str], rank: str, local: str):
    assert (is_first(start), is_first_here(start)) == (False, False)
    first_there = start | {rank: "4", local: "0"}
    assert (is_first(first_there), is_first_here(first_there)) == (False, True)
    first = start | {rank: "0", local: "0"}
    assert (is_first(first), is_first_here(first)) == (True, True)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("gpu7", "gpu7"), ("gpu7,gpu9", "gpu7"), ("gpu[03-05,9],login1", "gpu03"), ("rack1-gpu[12,14]", "rack1-gpu12"),
        ("n[1-2].site", "n1.site"), ("n[1,3].site,m", "n1.site"), ("gpu7,n[1-2]", "gpu7"), ("r[1-2]n[3,5]", "r1n3"),
    ],
)  # fmt: skip
def test_first_of_slurms_machines(nodes: str, first: str):
    assert first_node(nodes) == first


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_accelerator("auto", 2)
    check_accelerator("cpu", 4)
    with pytest.raises(ValueError, match=r"9999 processes on the CPU .* from working; start at most"):
        check_accelerator("cpu", 9999)
    with pytest.raises(ValueError, match="4 processes on this machine need as many GPUs, and torch finds 2 here"):
        check_accelerator("auto", 4)


@pytest.mark.parametrize(
    ("cores", "each"),
    [([{0, 1, 2, 3}] * 2, 2), ([{0, 1, 2}, {3, 4, 5}], 3), ([{0}] * 4, 1)],
    ids=["shared", "each its own", "more processes than cores"],
)
def test_processes_share_the_cores_of_their_machine(cores: list[set[int]], each: int):
    """Slurm may give each process cores of its own."""
    assert cores_for_each(cores) == each


# What each one reads


@pytest.mark.parametrize(("world_size", "accumulate"), list(itertools.product((1, 2, 3, 4), (1, 2))))
def test_all_processes_together_see_every_image_once_an_epoch(world_size: int, accumulate: int):
    """And each update has the images that it has in one process, also where a run goes on in the middle."""

    def order(rank: int, first_update: int, *, ranks: int, steps: int) -> list[list[SampleKey]]:
        return list(
            BatchOrder(
                num_samples=77, batch_size=24, steps_per_update=steps, rank=rank, world_size=ranks, seed=3,
                first_update=first_update, num_updates=6,
            )
        )  # fmt: skip

    whole = order(0, 0, ranks=1, steps=1)
    for first_update in (0, 1, 4):
        parts = [order(rank, first_update, ranks=world_size, steps=accumulate) for rank in range(world_size)]
        for update in range(first_update, 6):
            mine = slice((update - first_update) * accumulate, (update - first_update + 1) * accumulate)
            seen = [key for part in parts for batch in part[mine] for key in batch]
            assert sorted(seen, key=repr) == sorted(whole[update], key=repr)
    for epoch in (0, 1):  # three updates each; five images do not fill a batch
        seen = {key.index for batch in whole for key in batch if key.epoch == epoch}
        assert len(seen) == 72


ALLOWED = [
    {"task": "mae"},
    *({"task": "rae", "region_variant": variant} for variant in ("length", "batch", "channel")),
    *(
        {"region_variant": variant, "feeding": feeding}
        for variant in ("length", "batch", "channel")
        for feeding in ("none", "pixel_to_region", "region_to_pixel", "both")
        if variant == "length" or feeding in ("none", "pixel_to_region")
    ),
    {"shared_mask": False},
    {"masking": "region_visible"},
]


@pytest.mark.parametrize("choice", ALLOWED, ids=str)
def test_every_parameter_gets_a_gradient(choice, config, images, change):
    """What has none in one process would be waited for by the others."""
    config = change(config, model=choice)
    samples = PretrainSamples(images, data=config.data, model=config.model, seed=0)
    batch = collate([samples[SampleKey(0, index)] for index in range(2)])
    model = rmae.build_model(config.model, generator=torch.Generator().manual_seed(0))
    PretrainStep(model, LossConfig(), pixel_mean=(0.4,) * 3, pixel_std=(0.3,) * 3)(*batch.tensors()).total.backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


# One process alone


def test_one_process_waits_for_nothing_and_has_no_group(config):
    with open_ranks(config.run) as ranks:
        assert (ranks.rank, ranks.world_size, ranks.is_first, ranks.is_alone) == (0, 1, True, True)
        assert not torch.distributed.is_initialized()
        assert ranks.first_does(lambda: 3) == 3
        assert ranks.gather("a") == ["a"]
        ranks.check_alike("a", "images")
        values = torch.tensor([1.0, 2.0])
        assert ranks.average_(values).tolist() == [1, 2]


def test_only_the_first_process_writes_metrics(tmp_path: Path):
    log = MetricLog(RunFolder(tmp_path), 0, writes=False)
    log.add(None)  # pyright: ignore[reportArgumentType]
    assert list(tmp_path.iterdir()) == []


class Told:
    """Stands for two processes, of which this is the second."""

    is_first = False

    def __init__(self, found, received):
        self.other = (found, received)

    def gather(self, value):
        return [self.other, value]


def test_a_signal_to_any_process_reaches_all(images, tmp_path):
    told = News(RunFolder(tmp_path), Told([], signal.SIGTERM), num_images=len(images.names), max_bad_share=0.05).share(
        StopSignal()
    )
    assert told is signal.SIGTERM


# Failing


def test_a_meeting_place_that_is_taken_is_an_error_of_the_user(config, monkeypatch: pytest.MonkeyPatch):
    for name in ("MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS"):  # what Fabric sets
        monkeypatch.setenv(name, "1")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(ValueError, match=f"process 0 cannot meet the others at 127.0.0.1, port {port} .*EADDRINUSE"),
            open_ranks(config.run, Launch(0, 2, 0, 2, "127.0.0.1", port)),
        ):
            pass


# Processes that a run starts


def test_a_configuration_that_cannot_be_sent_is_refused(config):
    with pytest.raises(
        ValueError, match=r"cannot be sent to other processes .*define your region source at the top level"
    ):
        run_on_ranks(lambda ranks: None, replace(config.run, devices=2))


def test_launchers_decide_over_devices(config, monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(processes, "_take_part", lambda work, run, launch: asked.append(launch))
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    run_on_ranks(print, replace(config.run, devices=2))
    assert asked == [Launch(5, 8, 1, 4, "gpu01", 29500)]


AGREEMENTS = """
import json, os, sys
from rmae.config import RunConfig
from rmae.interruption import FailedElsewhere
from rmae.training.processes import run_on_ranks

def fail():
    raise OSError("full")

def attempt(work):
    try:
        return work()
    except (OSError, ValueError, FailedElsewhere) as error:
        return f"{type(error).__name__}: {error}"

def agree(ranks):
    import torch
    found = [
        ranks.first_does(lambda: ("from", ranks.rank)),
        attempt(lambda: ranks.first_does(fail)),
        ranks.average_(torch.tensor([4.0 * ranks.rank])).item(),
        attempt(lambda: ranks.check_alike(ranks.rank, "images")),
    ]
    return ranks.gather(found)

if __name__ == "__main__":
    before = dict(os.environ)
    runs = [run_on_ranks(agree, RunConfig(accelerator="cpu", devices=2)) for _ in range(2)]
    assert dict(os.environ) == before
    print(json.dumps(runs))
"""


@pytest.mark.slow
def test_two_processes_agree_and_can_be_started_again(tmp_path: Path):
    script = tmp_path / "agreements.py"
    script.write_text(AGREEMENTS)
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")
    differ = "ValueError: process 1 has other images than process 0 (1 instead of 0); start all alike, and give all "
    differ += "machines the same files under the same paths"
    here = [["from", 0], "OSError: full", 2.0, differ]
    there = [["from", 0], "FailedElsewhere: ", 2.0, differ]
    assert json.loads(ended.stdout) == [[here, there]] * 2
