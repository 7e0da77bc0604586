"""What follows each update of a run: what is logged, shown and saved, and when it stops."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Self

from torch import Tensor

from rmae.data.skips import Skipped
from rmae.data.worker_pool import WorkerDiedError
from rmae.interruption import StopSignal, TrainingStopped
from rmae.training.checkpoint import RunProgress
from rmae.training.learner import Learner
from rmae.training.metrics import MetricLog, Metrics, MetricWindow
from rmae.training.news import News
from rmae.training.progress_line import ProgressLine


class Journal:
    """Logs, shows and saves a run, and stops it on a signal, while it is entered.

    Where a process that makes batches dies, what one process alone has trained is saved; several keep what they saved.

    Args:
        learner: What is trained.
        num_updates: Length of the run.
        batch_size: Samples in an update.
        num_samples: Samples in an epoch.
        num_images: Images that are trained on.
        max_bad_share: Share of them that may be unusable, in [0, 1].
        absent: Losses that this run does not have, by name.

    Raises:
        ValueError: More updates than that are done already.
    """

    def __init__(
        self,
        learner: Learner,
        *,
        num_updates: int,
        batch_size: int,
        num_samples: int,
        num_images: int,
        max_bad_share: float,
        absent: Set[str] = frozenset(),
    ) -> None:
        self._learner = learner
        self._num_updates, self._batch_size, self._num_samples = num_updates, batch_size, num_samples
        self._absent = absent
        progress, ranks = learner.progress, learner.ranks
        self._done = self._saved = progress.update
        if progress.update > num_updates:
            raise ValueError(
                f"the run in {learner.folder.path} is at update {progress.update} already; it cannot be made "
                f"{num_updates} long"
            )
        sums = progress.window_sums or learner.zeros().tolist()
        self._window = MetricWindow(learner.device, sums, progress.window_updates)
        self._news = News(learner.folder, ranks, num_images=num_images, max_bad_share=max_bad_share)
        self._line = ProgressLine(num_updates, progress.update, batch_size, shown=ranks.is_first)
        self._stop = StopSignal()

    def __enter__(self) -> Self:
        learner = self._learner
        with ExitStack() as opened:
            opened.enter_context(self._stop)
            self._log = MetricLog(learner.folder, learner.first_update, writes=learner.ranks.is_first)
            opened.enter_context(self._line)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            # Of several processes the others are in the middle of a step.
            is_whole = self._learner.is_after(self._done) and self._learner.ranks.is_alone
            if isinstance(error, WorkerDiedError) and is_whole and self._done > self._saved:
                self._save()
        finally:
            self._open.__exit__(kind, error, traceback)

    def print(self, text: str) -> None:
        """Print a line above the progress."""
        self._line.print(text)

    def skip(self, skipped: Iterable[Skipped]) -> None:
        """Note images that this process could not use."""
        self._news.add(skipped)

    def close_update(self, done: int, values: Tensor, lr: float) -> None:
        """Count an update; log and save where it is time to.

        Args:
            done: Updates done, this one included.
            values: Its losses in the order of their names, and the gradient's norm.
            lr: Its rate.

        Raises:
            ValueError: All processes together found too many images that cannot be used.
            NonFiniteError: A loss or gradient was not finite; a checkpoint holds the weights from before it.
            TrainingStopped: SIGINT or SIGTERM arrived; a checkpoint holds the state.
        """
        self._window.add(values)
        self._done = done
        self._line.advance()
        learner, is_last = self._learner, done == self._num_updates
        logs = done % learner.run.log_every == 0 or is_last
        saves = done % learner.run.checkpoint_every == 0 or is_last
        stopped_by = self._news.share(self._stop) if learner.ranks.is_alone or logs or saves else None
        if logs:
            learner.stop_if_not_finite()
            metrics = self._read_metrics(done, lr)
            learner.ranks.first_does(partial(self._log.add, metrics.line()))
            self._line.show(metrics)
        if saves or stopped_by is not None:
            self._save()
        if stopped_by is not None:  # after the last update, too: what follows, other seeds say, may take long
            raise TrainingStopped(f"stopped by {stopped_by.name} after update {done} of {self._num_updates}")

    def add_scores(self, done: int, scores: Mapping[str, float]) -> None:
        """Log and show scores by name, found after an update and before it is closed; NaN = not defined."""
        defined = {name: None if math.isnan(score) else score for name, score in scores.items()}
        line = {"update": done, "epoch": done * self._batch_size / self._num_samples, **defined}
        self._learner.ranks.first_does(partial(self._log.add, line))
        told = "  ".join(f"{name.replace('_', ' ')} {score:.4f}" for name, score in scores.items())
        self.print(f"evaluation after update {done}: {told}")

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Do not count a time as time of training: that in which a model is evaluated, its update not closed yet."""
        start = time.perf_counter()
        yield
        self._window.leave_out(time.perf_counter() - start)

    def _save(self) -> None:
        self._learner.stop_if_not_finite()
        self._learner.save(RunProgress(self._done, *self._window.state()))
        self._saved = self._done

    def _read_metrics(self, update: int, lr: float) -> Metrics:
        """The metrics since the last log step; the next window begins."""
        *losses, grad_norm = self._window.means()
        named = zip(self._learner.loss_names, losses, strict=True)
        metrics = Metrics(
            update=update,
            epoch=update * self._batch_size / self._num_samples,
            losses={name: None if name in self._absent else loss for name, loss in named},
            grad_norm=grad_norm,
            lr=lr,
            images_per_s=self._window.updates_per_s() * self._batch_size,
            skipped=self._news.num_skipped,
        )
        self._window.restart()
        return metrics
