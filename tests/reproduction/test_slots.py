import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rmae.reproduction.slots import open_slots, visible_gpus

Machine = Callable[..., Mapping[str, str]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Makes the environment of a machine with some GPUs, as its nvidia-smi tells them."""

    def machine(number: int, *, code: int = 0, **environ: str) -> Mapping[str, str]:
        program = tmp_path / "nvidia-smi"
        lines = [
            f"GPU {i}: NVIDIA H100 (UUID: GPU-{i})\n  MIG 1g.10gb Device 0: (UUID: MIG-{i})\n" for i in range(number)
        ]
        program.write_text(f"#!/bin/sh\n[ $1 = -L ] || exit 1\ncat <<END\n{''.join(lines)}END\nexit {code}\n")
        program.chmod(0o755)
        return {"PATH": f"{tmp_path}:{os.environ['PATH']}", **environ}

    return machine


def test_without_nvidia_smi_there_is_no_gpu(tmp_path: Path):
    assert visible_gpus({"PATH": str(tmp_path)}) == ()
    assert visible_gpus({"PATH": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0,1"}) == ()


def test_gpus_are_those_that_nvidia_smi_lists(machine: Machine):
    assert visible_gpus(machine(3)) == ("0", "1", "2")
    assert visible_gpus(machine(0)) == ()
    assert visible_gpus(machine(2, code=9)) == ()  # it cannot talk to the driver


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2,0", ("2", "0")),
        (" 1 , 3", ("1", "3")),
        ("", ()),
        ("-1", ()),
        ("1,-1,0", ("1",)),
        ("1,4,0", ("1",)),
        ("GPU-1,MIG-2", ("GPU-1", "MIG-2")),
        ("none", ()),
    ],
)
def test_those_that_cuda_may_see_are_respected(said: str, expected: tuple[str, ...], machine: Machine):
    assert visible_gpus(machine(4, CUDA_VISIBLE_DEVICES=said)) == expected


def test_slots_go_round_the_gpus(machine: Machine):
    assert open_slots(None, machine(2)) == ("0", "1")
    assert open_slots(5, machine(2)) == ("0", "1", "0", "1", "0")
    assert open_slots(1, machine(2)) == ("0",)
    assert open_slots(3, machine(4, CUDA_VISIBLE_DEVICES="3,1")) == ("3", "1", "3")


def test_one_gpu_is_shared_and_left_as_it_is_named(machine: Machine):
    assert open_slots(None, machine(1)) == (None,)
    assert open_slots(3, machine(1)) == (None, None, None)
    assert open_slots(2, machine(4, CUDA_VISIBLE_DEVICES="2")) == (None, None)


def test_without_gpus_there_is_a_slot_a_core(machine: Machine):
    assert open_slots(None, machine(0)) == (None,) * len(os.sched_getaffinity(0))
    assert open_slots(3, machine(0)) == (None, None, None)


@pytest.mark.parametrize("jobs", [0, -1])
def test_there_is_at_least_one_slot(jobs: int, machine: Machine):
    with pytest.raises(ValueError, match=f"jobs is {jobs}; run at least 1 piece at a time"):
        open_slots(jobs, machine(2))
