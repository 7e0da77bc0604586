from dataclasses import replace

import numpy as np
import pytest

from rmae.data.order import BatchOrder, SampleKey, epoch_order, sample_generator

ORDER = BatchOrder(
    num_samples=26, batch_size=8, steps_per_update=1, rank=0, world_size=1, seed=5, first_update=0, num_updates=7
)


def test_generators_depend_on_everything_they_are_given_and_on_nothing_else():
    arguments = [(seed, SampleKey(e, i), a) for seed in (0, 1) for e in (0, 1) for i in (0, 1) for a in (0, 1)]
    draws = [sample_generator(*each).integers(2**63) for each in arguments]
    assert len(set(draws)) == len(draws)
    assert draws == [sample_generator(*each).integers(2**63) for each in arguments]
    assert sample_generator(0, SampleKey(0, 0)).integers(2**63) == draws[0]


def test_the_order_of_an_epoch_shares_no_stream_with_its_samples():
    for seed, epoch in ((0, 0), (3, 7)):
        by_sample = sample_generator(seed, SampleKey(epoch, 0)).permutation(50)
        assert not np.array_equal(epoch_order(50, seed, epoch), by_sample)


def test_epochs_are_different_permutations():
    orders = [epoch_order(30, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(30))
    assert len({order.tobytes() for order in orders}) == 4


def test_every_sample_comes_at_most_once_an_epoch():
    updates = list(ORDER)
    assert len(updates) == len(ORDER) == 7
    assert ORDER.updates_per_epoch == 3
    for epoch in (0, 1):
        keys = [key for update in updates[3 * epoch : 3 * epoch + 3] for key in update]
        assert {key.epoch for key in keys} == {epoch}
        assert len({key.index for key in keys}) == len(keys) == 24  # 26 - 24 are dropped
        np.testing.assert_array_equal([key.index for key in keys], epoch_order(26, 5, epoch)[:24])
    assert {key.epoch for key in updates[6]} == {2}


def test_every_sample_comes_once_where_batches_divide_the_epoch():
    keys = [key for update in replace(ORDER, num_samples=24, num_updates=3) for key in update]
    assert sorted(key.index for key in keys) == list(range(24))


@pytest.mark.parametrize("first_update", [1, 3, 6, 7, 9])
def test_resuming_gives_the_rest(first_update: int):
    resumed = replace(ORDER, first_update=first_update)
    assert list(resumed) == list(ORDER)[first_update:]
    assert len(resumed) == len(list(resumed))


@pytest.mark.parametrize(("steps", "world_size"), [(2, 1), (1, 2), (2, 2), (4, 2)])
def test_steps_and_processes_share_out_each_update(steps: int, world_size: int):
    parts = [
        list(replace(ORDER, steps_per_update=steps, rank=rank, world_size=world_size)) for rank in range(world_size)
    ]
    assert {len(part) for part in parts} == {7 * steps}
    for update, whole in enumerate(ORDER):
        pieces = [parts[rank][update * steps + step] for step in range(steps) for rank in range(world_size)]
        assert {len(piece) for piece in pieces} == {8 // (steps * world_size)}
        assert [key for piece in pieces for key in piece] == whole


def test_impossible_batches_are_explained():
    with pytest.raises(
        ValueError,
        match=r"the data hold 26 samples an epoch, fewer than one batch of 32: lower --batch-size \(or",
    ):
        replace(ORDER, batch_size=32)
    with pytest.raises(ValueError, match=r"batch size 8 cannot be split evenly into 2 step\(s\) on each of 3 process"):
        replace(ORDER, steps_per_update=2, world_size=3)
