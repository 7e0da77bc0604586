"""How much memory a call needs at its peak."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile


def peak_memory(call: Callable[[], Any], *, held: Iterable[Tensor] = (), device: torch.device) -> int:
    """Most bytes of tensors that are alive at once while a call runs, those of `held` included.

    On a CPU these are the storages of `held`, each once, and whatever torch allocates in the call, until it is freed:
    results, gradients, what autograd keeps for the backward pass, the optimiser's new state. Views and results in place
    need nothing. Scratch that an operator takes from torch's allocator counts (it may grow with the number of
    threads); what the libraries below it take from the system does not, nor does NumPy's memory, nor other Python
    threads, nor tensors from before the call that are not in `held`. The count is exact, the same in every run.

    On a CUDA device these are the storages of `held` and what the call adds, by the allocator's own statistics.

    Args:
        call: What to measure, once; what it returns is dropped.
        held: Tensors on the device that the call works with, such as weights, state of an optimiser and inputs. They
            are kept until the end, even where the call lets go of them.
        device: Where the call works, a CPU or a CUDA device.

    Returns:
        Bytes. On a CUDA device the allocator rounds up what the call adds.

    Raises:
        ValueError: The device is of another kind.

    Example:
        >>> peak_memory(lambda: torch.zeros(1000).clone(), device=torch.device("cpu"))
        8000
    """
    storages = [tensor.untyped_storage() for tensor in held]
    held_bytes = sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
    match device.type:
        case "cpu":
            return held_bytes + _most_alive(_trace_memory(call))
        case "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device)
            call()
            return held_bytes + torch.cuda.max_memory_allocated(device) - before
        case _:
            raise ValueError(f"memory can be measured on cpu and cuda devices, found {device}; move the call there")


class _Change(NamedTuple):
    """One allocation or release."""

    address: int
    num_bytes: int
    """Negative for a release."""


def _trace_memory(call: Callable[[], Any]) -> list[_Change]:
    """Record what a call allocates and releases on the CPU, in order.

    The profiler listens to the allocator. A `TorchDispatchMode` that follows every result would change what it
    measures: while one is active, autograd adds gradients up out of place.
    """
    # The library below the profiler writes to stderr that it starts and stops, and that there is no GPU.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    # There is one cycle and so nothing to accumulate, but without the flag torch 2.11 warns that it forgets the others.
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as profiler:
        call()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    events = sorted((event for event in events if event["name"] == "[memory]"), key=lambda event: event["ts"])
    return [_Change(event["args"]["Addr"], event["args"]["Bytes"]) for event in events]


def _most_alive(changes: Iterable[_Change]) -> int:
    """Most bytes that are alive at once, of what the changes themselves allocate."""
    alive: dict[int, int] = {}
    total = most = 0
    for change in changes:
        # Something from before the call may be released, and an address comes again if its release was not seen.
        total -= alive.pop(change.address, 0)
        if change.num_bytes > 0:
            alive[change.address] = change.num_bytes
            total += change.num_bytes
            most = max(most, total)
    return most
