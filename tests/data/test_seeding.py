import random

import numpy as np
import torch

from rmae.data.seeding import keyed_randomness, seeded_globals


def draws() -> list[float]:
    return [random.random(), float(np.random.rand()), torch.rand(1).item()]  # noqa: NPY002


def test_equal_generators_give_equal_draws_and_others_other_ones():
    found = []
    for seed in (3, 3, 4):
        with seeded_globals(np.random.default_rng(seed)):
            found.append(draws())
    assert found[0] == found[1]
    assert all(a != b for a, b in zip(found[0], found[2], strict=True))


def test_the_global_generators_go_on_as_if_nothing_had_been():
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    draws()
    expected = draws()

    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    draws()
    with seeded_globals(np.random.default_rng(0)):
        draws()
    assert draws() == expected


def test_an_update_draws_the_same_each_time_and_each_process_something_else():
    def drawn(update: int, rank: int) -> float:
        with keyed_randomness(0, update, rank, device=torch.device("cpu")):
            return torch.rand(1).item()

    assert drawn(5, 0) == drawn(5, 0)
    assert len({drawn(5, 0), drawn(6, 0), drawn(5, 1)}) == 3
