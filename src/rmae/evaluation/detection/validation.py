"""Scoring a detector on the pictures for validation, shared out over the processes."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import zstandard

from rmae.config.detection import DetectConfig
from rmae.evaluation.detection.data import DetectionData
from rmae.evaluation.detection.precision import AveragePrecision, Truth
from rmae.evaluation.detection.prediction import Predictor, as_results
from rmae.files import write_atomically
from rmae.training.ranks import Ranks
from rmae.training.run_folder import RunFolder


class DetectionScores(NamedTuple):
    """How well objects are found."""

    box: AveragePrecision
    """Their boxes."""
    mask: AveragePrecision
    """Their masks."""

    def by_name(self) -> dict[str, float]:
        """All but those by category, the headline first."""
        return {**self.box.scores("box"), **self.mask.scores("mask")}


class Validator:
    """Finds the objects in all pictures for validation, and compares them with the true ones.

    Args:
        predictor: With the detector.
        data: Pictures and objects.
        ranks: The processes; each of them takes a share of the pictures.
        num_workers: Processes that read pictures for each of these; 0 = none.
    """

    def __init__(self, predictor: Predictor, data: DetectionData, ranks: Ranks, *, num_workers: int) -> None:
        self._predictor = predictor
        self._data = data
        self._ranks = ranks
        self._num_workers = num_workers
        self._truth: Truth | None = None  # of the first process, from the first validation on

    def validate(self, folder: RunFolder | None = None) -> DetectionScores:
        """Score the detector as it is now; every process calls this.

        Args:
            folder: Where to write what was found, as `predictions.json`; None = nowhere.

        Returns:
            The scores, the same on all processes.

        Raises:
            ValueError: A picture cannot be used: scores of the others would be scores of other data.
        """
        part, ranks = self._data.val, self._ranks
        share = range(len(part.images.names))[ranks.rank :: ranks.world_size]
        found = [
            (row, as_results(objects, part, row, self._data.categories))
            for row, objects in self._predictor.predict(part, share, num_workers=self._num_workers)
        ]
        # All processes get what each has, but only the first unpacks it: with LVIS there are millions of finds.
        packed = ranks.gather(zstandard.compress(json.dumps(found).encode()))
        return ranks.first_does(lambda: self._score(packed, folder))

    def _score(self, packed: Sequence[bytes], folder: RunFolder | None) -> DetectionScores:
        shares = [json.loads(zstandard.decompress(share)) for share in packed]
        by_row: list[tuple[int, list[dict[str, Any]]]] = sorted(
            (entry for share in shares for entry in share), key=lambda entry: entry[0]
        )
        results = [result for _, of_picture in by_row for result in of_picture]
        if folder is not None:
            write_atomically(folder.path / "predictions.json", json.dumps(results))
        if self._truth is None:
            self._truth = Truth(self._data.val, self._data.categories, is_lvis=self._data.is_lvis)
        return DetectionScores(self._truth.compare(results, "box"), self._truth.compare(results, "mask"))


def num_workers_of(config: DetectConfig, ranks: Ranks) -> int:
    """Processes that read pictures for this one."""
    return ranks.num_cores_each() if config.reading.num_workers is None else config.reading.num_workers
