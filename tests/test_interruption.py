import os
import signal
import threading
from contextlib import suppress

import pytest

from rmae.interruption import Stopped, StopSignal, end_in_peace, stopped_at_once


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_the_handler_put_back(number):
    before = signal.getsignal(number)
    with suppress(Stopped), StopSignal() as stop:
        assert stop.received is None
        os.kill(os.getpid(), number)
        assert stop.received is number
        assert signal.getsignal(number) is before  # a second one acts as usual
        raise Stopped
    assert signal.getsignal(number) is before


def test_a_signal_that_nobody_looked_at_acts_at_the_end():
    reached = []

    def work():
        with StopSignal():
            os.kill(os.getpid(), signal.SIGINT)
            reached.append("the end")

    with pytest.raises(KeyboardInterrupt):
        work()
    with pytest.raises(Stopped, match="stopped by SIGINT; what was saved before is whole"), stopped_at_once():
        work()
    assert reached == ["the end", "the end"]


def test_a_signal_that_was_answered_acts_no_more():
    with StopSignal() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        stop.received = None


def test_without_a_signal_everything_is_as_before():
    before = signal.getsignal(signal.SIGTERM)
    with StopSignal():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_threads_change_nothing():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def enter():
        with StopSignal():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]


def test_sigterm_is_raised_where_there_is_nothing_to_save():
    before = signal.getsignal(signal.SIGTERM)
    with (
        pytest.raises(Stopped, match=r"stopped by SIGTERM; what was saved before is whole"),
        stopped_at_once(),
        suppress(Exception),  # as a library may have it
    ):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_saves_its_state_does_so_first():
    with stopped_at_once():
        outer = signal.getsignal(signal.SIGTERM)
        with suppress(ValueError), StopSignal() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            raise ValueError("saved")
        assert stop.received is signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is outer


def test_a_process_that_ends_anyway_is_not_disturbed():
    before = signal.getsignal(signal.SIGTERM)
    end_in_peace()
    assert signal.getsignal(signal.SIGTERM) is before
    with stopped_at_once():
        end_in_peace()
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Stopped), stopped_at_once():
        os.kill(os.getpid(), signal.SIGTERM)
