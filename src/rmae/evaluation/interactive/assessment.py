"""Putting every method to every object, shared out over the processes."""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from rmae.config.interactive import InteractiveConfig
from rmae.data.image_progress import ImageProgress
from rmae.evaluation.interactive.clicks import Simulation, simulate
from rmae.evaluation.interactive.data import Choice, InteractiveData, read_masks
from rmae.evaluation.interactive.method import Method
from rmae.evaluation.interactive.method_names import MODEL, NEAREST, NOTHING
from rmae.evaluation.interactive.picture_results import (
    ClickScores,
    ObjectResult,
    PictureResult,
    ResultsFile,
    Seconds,
)
from rmae.evaluation.interactive.segmenter_method import SegmenterMethod
from rmae.evaluation.interactive.visible_shares import Completer, NearestPixel, NothingMore, SharesIou, score_shares
from rmae.evaluation.objects.pictures import read_evaluated_picture
from rmae.training.ranks import Ranks


def assess(
    config: InteractiveConfig,
    methods: Mapping[str, Method],
    data: InteractiveData,
    choice: Choice,
    file: Path,
    ranks: Ranks,
) -> list[PictureResult]:
    """Put methods to objects; every process calls this alike and takes a share of the pictures.

    Args:
        config: How often to click, and which shares of a map to show.
        methods: By name.
        data: Pictures and objects.
        choice: Which objects.
        file: Where each picture's results are kept, so that those in it already are not done again.
        ranks: The processes.

    Returns:
        The results of all pictures by row, the same on all processes and, but for the seconds, with any number of
        them.

    Raises:
        ValueError: A picture cannot be used: scores of the others would be scores of other data.
    """
    kept = ResultsFile(file, list(methods))
    done = ranks.first_does(kept.start)
    left = [row for row in choice.by_row if row not in done]
    num_done = len(choice.by_row) - len(left)
    progress = ImageProgress(len(choice.by_row), done=num_done, doing="clicking") if ranks.is_first else None
    with progress or nullcontext():
        # In rounds, so that the first process keeps what all have done.
        for start in range(0, len(left), ranks.world_size):
            of_round = left[start : start + ranks.world_size]
            own = None
            if ranks.rank < len(of_round):
                row = of_round[ranks.rank]
                own = assess_picture(config, methods, data, row, choice.by_row[row])
            results = [result for result in ranks.gather(own) if result is not None]
            done.update((result.row, result) for result in results)
            if progress:
                kept.add(results)
                for _ in results:
                    progress.advance()
    return [done[row] for row in choice.by_row]


def assess_picture(
    config: InteractiveConfig, methods: Mapping[str, Method], data: InteractiveData, row: int, numbers: tuple[int, ...]
) -> PictureResult:
    """Put methods to the objects of a picture.

    Args:
        config: As in `assess`.
        methods: By name.
        data: Pictures and objects.
        row: Which picture.
        numbers: Which of its objects.
    """
    name = data.part.images.names[row]
    image = read_evaluated_picture(data.part, row, max_pixels=config.reading.max_pixels)
    masks = read_masks(data.part, row, numbers)
    clicks: dict[int, dict[str, ClickScores]] = {number: {} for number in masks}
    shares: dict[int, dict[str, SharesIou]] = {number: {} for number in masks}
    seconds: dict[str, Seconds] = {}
    for method_name, method in methods.items():
        started = time.perf_counter()
        method.set_image(image, name)
        for_picture = time.perf_counter() - started
        made = []
        for number, mask in masks.items():
            simulation = simulate(method, mask, config.max_clicks)
            clicks[number][method_name] = ClickScores(
                tuple(simulation.iou.tolist()), tuple(simulation.confidence.tolist())
            )
            made.append(simulation)
            if isinstance(method, SegmenterMethod):
                shares[number] |= _complete(config, method_name, method, mask, (config.run.seed, row, number))
        seconds[method_name] = Seconds(for_picture, _seconds_a_click(made))
    objects = tuple(
        ObjectResult(number=number, clicks=clicks[number], shares=shares[number]) for number in sorted(masks)
    )
    return PictureResult(row=row, name=name, objects=objects, seconds=seconds)


def _complete(
    config: InteractiveConfig, name: str, method: SegmenterMethod, mask: np.ndarray, seed: tuple[int, ...]
) -> dict[str, SharesIou]:
    """Score a model, and with the one under test the controls, for they see the same patches as it does."""
    segmenter = method.segmenter
    completers: dict[str, Completer] = {name: method.complete}
    if name == MODEL:
        completers |= {NOTHING: NothingMore(), NEAREST: NearestPixel(segmenter.grid)}
    region = segmenter.to_model_size(mask)
    return score_shares(region, completers, config.visible_shares, segmenter.grid, np.random.default_rng(seed))


def _seconds_a_click(made: list[Simulation]) -> float:
    num_clicks = sum(each.num_clicks for each in made)
    return sum(each.seconds for each in made) / num_clicks if num_clicks else float("nan")
