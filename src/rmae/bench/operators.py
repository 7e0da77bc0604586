"""What a training step spends its time on."""

import os

from torch.profiler import ProfilerActivity, profile

from rmae.bench.step import TrainingStep


def slowest_operators(step: TrainingStep, *, num_steps: int = 3, num_rows: int = 25) -> str:
    """Table of the operators, or kernels on a GPU, that take most time of their own.

    Args:
        step: What is profiled, once warm.
        num_steps: How many of them.
        num_rows: Operators to list.

    Returns:
        Text of lines; times are those of all steps together.
    """
    on_gpu = step.batch.images.device.type == "cuda"
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # otherwise it tells on stderr that it starts and stops
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities, acc_events=True) as profiler:
        for _ in range(num_steps):
            step()
    by_time = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    return profiler.key_averages().table(sort_by=by_time, row_limit=num_rows, max_name_column_width=80)
