"""Timing things side by side."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any


def time_side_by_side(calls: Mapping[str, Callable[[], Any]], *, repeats: int) -> dict[str, float]:
    """Time calls in turn, so that whatever else the machine does disturbs all of them alike.

    Args:
        calls: What to time, by name; each is called once before, which is not counted.
        repeats: How often each is timed, at least 1.

    Returns:
        Median milliseconds of each.
    """
    return {name: median(times) for name, times in times_side_by_side(calls, repeats=repeats).items()}


def times_side_by_side(calls: Mapping[str, Callable[[], Any]], *, repeats: int) -> dict[str, list[float]]:
    """As `time_side_by_side`, with the milliseconds of every round, in which each was timed once."""
    for call in calls.values():
        call()
    milliseconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            milliseconds[name].append(1000 * (time.perf_counter() - start))
    return milliseconds


def rounds_side_by_side(
    calls: Sequence[Callable[[], Any]],
    repeats: int,
    seconds: float,
    *,
    wait: Callable[[], None],
    before_round: Sequence[Callable[[], None]] | None = None,
) -> list[list[float]]:
    """Time calls that hand work to a device, in turn; the device is waited for only at the ends of a round.

    Args:
        calls: What to time; each is called twice before, which is not counted.
        repeats: Rounds, at least 1, in each of which every call is timed.
        seconds: About how long a call is repeated in a round; at least once, and as often in every round.
        wait: Waits until the device has done its work.
        before_round: What to do before each call's part of a round, not timed; None = nothing.

    Returns:
        For each call the seconds that it took in each round.
    """

    def time_of(call: Callable[[], Any], number: int) -> float:
        wait()
        start = time.perf_counter()
        for _ in range(number):
            call()
        wait()
        return (time.perf_counter() - start) / number

    before_round = [lambda: None for _ in calls] if before_round is None else before_round
    numbers = []
    for call in calls:
        time_of(call, 1)
        numbers.append(max(1, math.ceil(seconds / time_of(call, 1))))
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for times, call, number, before in zip(taken, calls, numbers, before_round, strict=True):
            before()
            times.append(time_of(call, number))
    return taken
