"""The processes that train one model together, and how they agree."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor
from torch.distributed.distributed_c10d import _get_default_store

from rmae.config import RunConfig
from rmae.interruption import FailedElsewhere, Stopped, StoppedElsewhere, end_in_peace
from rmae.training.devices import build_fabric
from rmae.training.failures import FailureBoard, is_broken_connection
from rmae.training.launch import Launch

T = TypeVar("T")
_AS_LONG_AS_IT_TAKES = timedelta(days=30)  # what the first process does alone, making regions say, may take days


class _Outcome(NamedTuple):
    """What came of the first process's work."""

    result: Any = None
    raised: type[Exception] | None = None
    """What the others are to raise."""


class Ranks:
    """All processes of a run, each on its device; with one process nothing here waits for anything.

    Args:
        fabric: Launched.
        group: For agreements between the hosts, which leave the devices alone; None where there is one process.
        local_world_size: Processes on this machine.
    """

    def __init__(self, fabric: Fabric, group: dist.ProcessGroup | None, *, local_world_size: int = 1) -> None:
        self.fabric = fabric
        self.rank = fabric.global_rank
        self.world_size = fabric.world_size
        self.local_world_size = local_world_size
        self._group = group

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and talks."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether this is the only process."""
        return self._group is None

    def first_does(self, work: Callable[[], T]) -> T:
        """Have the first process do something while the others wait.

        Args:
            work: What to do; its result can be pickled.

        Returns:
            The result, on all processes.

        Raises:
            FailedElsewhere: On all others, where the work raises an error on the first one.
        """
        if self.is_alone:
            return work()
        if not self.is_first:
            received: list[Any] = [None]
            dist.broadcast_object_list(received, src=0, group=self._group)
            outcome: _Outcome = received[0]
            if outcome.raised is not None:
                raise outcome.raised
            return outcome.result
        try:
            result = work()
        except BaseException as error:
            raised = StoppedElsewhere if isinstance(error, Stopped) else FailedElsewhere
            dist.broadcast_object_list([_Outcome(raised=raised)], src=0, group=self._group)
            raise
        dist.broadcast_object_list([_Outcome(result)], src=0, group=self._group)
        return result

    def gather(self, value: T) -> list[T]:
        """What each process has, in their order; on all processes. It can be pickled."""
        return [value] if self.is_alone else self._gather(value)

    def check_alike(self, fact: object, what: str) -> None:
        """Make sure that all processes have the same.

        Args:
            fact: What this one has, short.
            what: A name for it in the plural.

        Raises:
            ValueError: They differ.
        """
        facts = self.gather(fact)
        for rank, other in enumerate(facts):
            if other != facts[0]:
                raise ValueError(
                    f"process {rank} has other {what} than process 0 ({other} instead of {facts[0]}); start all alike, "
                    "and give all machines the same files under the same paths"
                )

    def num_cores_each(self) -> int:
        """Cores that each process of this machine may use."""
        cores = self.gather(os.sched_getaffinity(0))
        first = self.rank - self.rank % self.local_world_size
        return cores_for_each(cores[first : first + self.local_world_size])

    def average_(self, values: Tensor) -> Tensor:
        """Average a tensor over the processes, in place, on the device and without waiting for it."""
        if not self.is_alone:
            # Fabric's own all_reduce begins with a barrier, for which the host waits.
            dist.all_reduce(values)
            values /= self.world_size
        return values

    def _gather(self, value: Any) -> list[Any]:
        gathered: list[Any] = [None] * self.world_size
        dist.all_gather_object(gathered, value, group=self._group)
        return gathered


def cores_for_each(cores: Sequence[Set[int]]) -> int:
    """How many cores each process of a machine may use.

    Args:
        cores: The numbers of those on which each process may run: all of them, or, as Slurm does it, its own.

    Returns:
        An equal share, at least 1.
    """
    return max(1, len(set().union(*cores)) // len(cores))


@contextmanager
def open_ranks(run: RunConfig, launch: Launch | None = None) -> Iterator[Ranks]:
    """Meet the other processes of a run, if there are any, and part from them at the end.

    Args:
        run: Device and arithmetic.
        launch: Which process of how many this is; None = the only one.

    Yields:
        The processes. Errors that only one of them has end all; the first process says which.

    Raises:
        ValueError: There are no such devices here, or the processes cannot reach each other.
        FailedElsewhere: Another process failed.
    """
    fabric = build_fabric(accelerator=run.accelerator, precision=run.precision, launch=launch)
    if launch is None or launch.world_size == 1:
        fabric.launch()
        yield Ranks(fabric, None)
        return
    group = _meet(fabric, launch)
    # A store of its own: one that waits in the main thread, for a process that is gone say, keeps other threads out.
    board = FailureBoard(_get_default_store().clone(), rank=launch.rank, world_size=launch.world_size)
    board.watch()
    ranks = Ranks(fabric, group, local_world_size=launch.local_world_size)
    try:
        with warnings.catch_warnings():
            # Of a kernel with one channel in, whose strides can be counted in two ways.
            warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
            yield ranks
        ranks.gather(None)  # until all are done, which each may learn only while the others still listen to it
        board.stop_watching()
        ranks.gather(None)  # nobody looks at the board any more: the first process may take it away
    except BaseException as error:
        end_in_peace()  # a launcher sends it to those that are left, which have yet to say why they end
        explained = board.explain(error)
        board.leave()
        board.stop_watching()
        dist.distributed_c10d._abort_process_group()  # to destroy it would wait for those that are gone
        if explained is error:
            raise
        raise explained from error
    dist.destroy_process_group()


def _meet(fabric: Fabric, launch: Launch) -> dist.ProcessGroup:
    """Wait for all processes; returns the group in which their hosts agree."""
    try:
        fabric.launch()
        group = dist.new_group(backend="gloo", timeout=_AS_LONG_AS_IT_TAKES)
    except RuntimeError as error:
        if not is_broken_connection(error):
            raise
        raise ValueError(
            f"process {launch.rank} cannot meet the others at {launch.address}, port {launch.port} "
            f"({str(error).splitlines()[0]}); see that all of them run, that this machine is reached under that name, "
            "and that the port is free there (MASTER_ADDR, MASTER_PORT)"
        ) from error
    assert isinstance(group, dist.ProcessGroup)
    return group
