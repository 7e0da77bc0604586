"""Libraries that draw from global random generators, made to draw what they are told."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_UPDATE = 2  # first number of a spawn key; `order.py` has 0 and 1


@contextmanager
def seeded_globals(generator: np.random.Generator) -> Iterator[None]:
    """Seed the global generators of Python, numpy and torch (on the CPU), and put them back as they were.

    Args:
        generator: Where the seeds are drawn from; equal ones give equal draws inside.
    """
    python, old_numpy, old_torch = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    seeds = generator.integers(2**32, size=3)
    random.seed(int(seeds[0]))
    np.random.seed(int(seeds[1]))  # noqa: NPY002
    torch.default_generator.manual_seed(int(seeds[2]))
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(old_numpy)  # noqa: NPY002
        torch.set_rng_state(old_torch)


@contextmanager
def keyed_randomness(seed: int, update: int, rank: int, *, device: torch.device) -> Iterator[None]:
    """Make what a model draws in an update, on any device, a function of the update: the same after a resume.

    Args:
        seed: Seed of the run, >= 0.
        update: Which update, >= 0.
        rank: Which process, >= 0; each draws something else.
        device: Where the model is.
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_UPDATE, update, rank)))
    devices = [device] if device.type == "cuda" else []
    with seeded_globals(generator), torch.random.fork_rng(devices):
        for each in devices:
            with torch.cuda.device(each):
                torch.cuda.manual_seed(int(generator.integers(2**32)))
        yield
