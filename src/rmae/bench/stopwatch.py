"""Timing things side by side."""

import time
from collections.abc import Callable, Mapping
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
