"""How processes learn that one of them failed, died or hangs, and who says so."""

import threading
import time
from typing import Any, cast

import pytest
from torch.distributed import DistNetworkError, HashStore

from rmae.interruption import EndedBySignal, FailedElsewhere, StoppedElsewhere, TrainingStopped
from rmae.training.failures import FailureBoard


def boards(store: HashStore) -> list[FailureBoard]:
    return [FailureBoard(store, rank=rank, world_size=3) for rank in range(3)]


BROKEN = RuntimeError("[.../third_party/gloo/gloo/transport/tcp/pair.cc:538] Connection closed by peer [::1]:1")


def test_an_error_of_another_process_is_told_by_the_first():
    first, second, third = boards(HashStore())
    assert first.first() is None
    silent = third.explain(OSError("the disk is gone"))
    assert isinstance(silent, FailedElsewhere)
    assert not str(silent)
    assert str(first.explain(BROKEN)) == "process 2: the disk is gone"
    assert isinstance(second.explain(DistNetworkError("lost")), FailedElsewhere)
    assert not str(second.explain(BROKEN))


def test_the_first_process_tells_its_own_error():
    first, second, _ = boards(HashStore())
    error = ValueError("no such folder")
    assert first.explain(error) is error
    assert not str(second.explain(BROKEN))


def test_the_first_failure_counts():
    first, second, third = boards(HashStore())
    third.publish("one")
    second.publish("two")
    assert str(first.first()) == "process 2: one"


def test_an_unexpected_error_keeps_its_traceback():
    _, second, _ = boards(HashStore())
    error = TypeError("a defect")
    assert second.explain(error) is error


def test_stopping_is_told_by_the_first():
    first, second, _ = boards(HashStore())
    stopped = TrainingStopped("after update 3")
    assert first.explain(stopped) is stopped
    assert isinstance(second.explain(stopped), StoppedElsewhere)
    assert first.first() is None


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch):
    """Makes boards look often and wait long."""
    from rmae.training import failures

    monkeypatch.setattr(failures, "_SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(failures, "_SECONDS_TO_HEAR", 60)


@pytest.mark.usefixtures("patient")
def test_a_process_that_failed_stays_until_the_first_has_heard():
    """Its launcher would end the first as soon as it ends, and nobody would say why."""
    first, second, _ = boards(HashStore())
    second.publish("the disk is gone")
    leaving = threading.Thread(target=second.leave)
    leaving.start()
    leaving.join(timeout=0.2)
    assert leaving.is_alive()
    first.watch()
    leaving.join(timeout=30)  # less than it stays by itself
    assert not leaving.is_alive()
    first.stop_watching()


def test_others_leave_it_to_the_first_to_say_that_it_was_stopped_alone():
    """As in set-up, where SIGTERM or Ctrl-C ends it at once, and the others wait for it."""
    first, second, _ = boards(HashStore())
    signalled = EndedBySignal()
    assert first.explain(signalled) is signalled
    assert str(second.first()) == "stopped by a signal"
    silent = second.explain(BROKEN)
    assert isinstance(silent, FailedElsewhere)
    assert not str(silent)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("signalled", [TrainingStopped("after update 3"), EndedBySignal()])
def test_the_first_process_says_why_its_launcher_ends_it(signalled: BaseException):
    first, second, _ = boards(HashStore())
    second.publish("the disk is gone")
    first.watch()
    second.leave()
    assert str(first.explain(signalled)) == "process 1: the disk is gone"
    first.stop_watching()


def test_a_process_that_waits_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch):
    """As one does whose device waits for the gradients of a process that is gone."""
    from rmae.training import failures

    monkeypatch.setattr(failures, "_SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(failures, "_SECONDS_TO_END", 0.02)
    ended = []
    monkeypatch.setattr(failures, "end_process", ended.append)
    first, second, third = boards(HashStore())
    first.watch()
    second.watch()
    third.publish("the disk is gone")
    for board in (first, second):
        board._thread.join(timeout=10)
        board.stop_watching()
    assert sorted(ended) == ["", "process 2: the disk is gone"]


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes boards look often and give up soon; what processes say that end."""
    from rmae.training import failures

    monkeypatch.setattr(failures, "_SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(failures, "_SECONDS_TO_HEAR", 0.02)
    monkeypatch.setattr(failures, "_LOOKS_OF_SILENCE", 200)
    ended: list[str] = []
    monkeypatch.setattr(failures, "end_process", ended.append)
    return ended


def watched(*ranks: int) -> list[FailureBoard]:
    """Boards of three processes, of which only some look."""
    of_all = boards(HashStore())
    for rank in ranks:
        of_all[rank].watch()
    return [of_all[rank] for rank in ranks]


def test_a_process_that_is_silent_is_given_up_by_all(quick_looks: list[str]):
    for board in watched(0, 1):
        board._thread.join(timeout=10)
        board.stop_watching()
    told = "process 2 does not answer any more, though it has not failed: perhaps it was stopped, or its machine or "
    assert sorted(quick_looks) == ["", told + "network is gone; go on with --resume"]


def test_of_the_first_process_the_second_one_tells_that_it_is_silent(quick_looks: list[str]):
    for board in watched(1, 2):
        board._thread.join(timeout=10)
        board.stop_watching()
    silent, told = sorted(quick_looks)
    assert silent == ""
    assert told.startswith("process 0 does not answer any more")


class HeldStore:
    """A store whose process was stopped: no call ever returns."""

    def add(self, key: str, value: int) -> int:
        time.sleep(3600)
        return 0


def test_a_process_ends_where_the_store_does_not_answer(quick_looks: list[str]):
    board = FailureBoard(cast(Any, HeldStore()), rank=1, world_size=2)
    board.watch()
    end = time.monotonic() + 10
    while not quick_looks and time.monotonic() < end:
        time.sleep(0.01)
    board._closed.set()
    assert quick_looks[0].startswith("process 1: process 0 does not answer any more")
