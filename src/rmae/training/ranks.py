"""The processes that train one model together, and how they agree."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor
from torch.distributed.distributed_c10d import _get_default_store

from rmae.config import RunConfig
from rmae.interruption import FailedElsewhere, Stopped, StoppedElsewhere
from rmae.training.devices import build_fabric
from rmae.training.failures import Failure, FailureBoard
from rmae.training.launch import Launch

T = TypeVar("T")
_AS_LONG_AS_IT_TAKES = timedelta(days=30)  # what the first process does alone, making regions say, may take days


class _Outcome(NamedTuple):
    """What came of one process's work."""

    result: Any = None
    failure: Failure | None = None
    stopped: bool = False


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
            return _result(received[0])
        try:
            result = work()
        except BaseException as error:
            dist.broadcast_object_list([_failed(error, 0)], src=0, group=self._group)
            raise
        dist.broadcast_object_list([_Outcome(result)], src=0, group=self._group)
        return result

    def all_do(self, work: Callable[[], T]) -> T:
        """Have every process do something, and go on only if it works everywhere.

        Args:
            work: What to do.

        Returns:
            This process's own result.

        Raises:
            FailedElsewhere: The work raises an error on another process only; on the first process it says which.
        """
        if self.is_alone:
            return work()
        try:
            result = work()
        except BaseException as error:
            self._gather(_failed(error, self.rank))
            raise
        for outcome in self._gather(_Outcome()):
            if outcome.failure is not None:
                raise FailedElsewhere(str(outcome.failure) if self.is_first else "")
        return result

    def gather(self, value: T) -> list[T]:
        """What each process has, in their order; on all processes. It can be pickled."""
        return [value] if self.is_alone else self._gather(value)

    def check_alike(self, fact: object, what: str) -> None:
        """Make sure that all processes see the same.

        Args:
            fact: What this one sees, short.
            what: A name for it in the plural.

        Raises:
            ValueError: They differ.
        """
        facts = self.gather(fact)
        for rank, other in enumerate(facts):
            if other != facts[0]:
                raise ValueError(
                    f"process {rank} sees other {what} than process 0 ({other} instead of {facts[0]}); give all "
                    "machines the same files under the same path"
                )

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


def _failed(error: BaseException, rank: int) -> _Outcome:
    sentence = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    return _Outcome(failure=Failure(rank, sentence), stopped=isinstance(error, Stopped))


def _result(outcome: _Outcome) -> Any:
    if outcome.failure is not None:
        raise StoppedElsewhere if outcome.stopped else FailedElsewhere
    return outcome.result


@contextmanager
def open_ranks(run: RunConfig, launch: Launch | None = None) -> Iterator[Ranks]:
    """Meet the other processes of a run, if there are any, and part from them at the end.

    Args:
        run: Device and arithmetic.
        launch: Which process of how many this is; None = the only one.

    Yields:
        The processes. Errors that only one of them has end all; the first process says which.

    Raises:
        ValueError: There are no such devices here.
        FailedElsewhere: Another process failed.
    """
    fabric = build_fabric(accelerator=run.accelerator, precision=run.precision, launch=launch)
    fabric.launch()
    if launch is None or launch.world_size == 1:
        yield Ranks(fabric, None)
        return
    group = dist.new_group(backend="gloo", timeout=_AS_LONG_AS_IT_TAKES)
    assert isinstance(group, dist.ProcessGroup)
    board = FailureBoard(_get_default_store(), rank=launch.rank, world_size=launch.world_size)
    board.watch()
    ranks = Ranks(fabric, group, local_world_size=launch.local_world_size)
    try:
        with warnings.catch_warnings():
            # Of a kernel with one channel in, whose strides can be counted in two ways.
            warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
            yield ranks
        board.stop_watching()
        ranks.gather(None)  # nobody looks at the board any more: the first process may take it away
    except BaseException as error:
        explained = board.explain(error)
        board.leave()
        board.stop_watching()
        dist.distributed_c10d._abort_process_group()  # to destroy it would wait for those that are gone
        if explained is error:
            raise
        raise explained from error
    dist.destroy_process_group()
