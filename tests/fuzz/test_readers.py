"""A few thousand of the inputs of `make fuzz`, the same in every run."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from fuzz.all_readers import READERS
from fuzz.trial import Tally, try_inputs

INPUTS = 2000
FEWEST_REFUSED = 200


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ProcessPoolExecutor]:
    """A process in which no other test ran: what one leaves behind may need threads that a forked child has not."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


def try_first_inputs(name: str, folder: Path) -> Tally:
    return try_inputs(READERS[name], range(INPUTS), seed=0, folder=folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_refused_clearly_or_read_as_promised(
    name: str, elsewhere: ProcessPoolExecutor, tmp_path: Path
):
    """To see input N of a reader: PYTHONPATH=tests python -m fuzz --only NAME --show N"""
    tally = elsewhere.submit(try_first_inputs, name, tmp_path).result()
    assert tally.faults[:10] == ()
    assert tally.outcomes.total() == INPUTS
    assert tally.outcomes.total() - tally.outcomes["read"] >= FEWEST_REFUSED
