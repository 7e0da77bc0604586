"""Objects with what each method made of them after some clicks."""

from collections.abc import Mapping, Sequence

import numpy as np

from rmae.config.interactive import InteractiveConfig
from rmae.evaluation.interactive.clicks import Step, steps
from rmae.evaluation.interactive.data import InteractiveData, read_masks
from rmae.evaluation.interactive.method import Answer, Method
from rmae.evaluation.interactive.method_names import MODEL
from rmae.evaluation.interactive.picture_results import ObjectResult, PictureResult
from rmae.evaluation.interactive.scores import JUDGED_CLICKS
from rmae.evaluation.objects.pictures import read_evaluated_picture
from rmae.visual.evaluation_report import Example, ExampleFigure
from rmae.visual.figure_words import percent
from rmae.visual.lettering import letter
from rmae.visual.mask_pictures import draw_clicks, draw_masks, mask_colour
from rmae.visual.pictures import show_stored

_SIDE = 256  # pixels of the longer side of a view: there are many
_LETTERS, _MARGIN = 13, 6  # pixels
_INK, _LABEL_GROUND = (255, 255, 255), (26, 33, 48)
_TRUE_COLOUR, _FOUND_COLOUR = mask_colour(4), mask_colour(0)  # yellow, sky blue


def choose_examples(results: Sequence[PictureResult], number: int) -> list[tuple[PictureResult, ObjectResult]]:
    """Choose objects at even distances from the one that the model under test found best to the one it found worst.

    They are ordered by the model's mean IoU after 1, 3 and 5 clicks, as far as there are so many.

    Args:
        results: Of all pictures.
        number: How many, at least 0.
    """
    objects = [(result, each) for result in results for each in result.objects]
    ranked = sorted(objects, key=_goodness)
    places = np.linspace(0, len(ranked) - 1, min(number, len(ranked))).round().astype(int).tolist()
    return [ranked[place] for place in places]


def draw_examples(
    config: InteractiveConfig,
    data: InteractiveData,
    methods: Mapping[str, Method],
    titles: Mapping[str, str],
    results: Sequence[PictureResult],
) -> tuple[Example, ...]:
    """Click on the chosen objects once more, and draw what comes of it.

    Args:
        config: How many objects and clicks.
        data: Pictures and objects.
        methods: By name.
        titles: What each is called on the page.
        results: Of all pictures.
    """
    examples = []
    for result, chosen in choose_examples(results, config.num_examples):
        image = read_evaluated_picture(data.part, result.row, max_pixels=config.reading.max_pixels)
        mask = read_masks(data.part, result.row, (chosen.number,))[chosen.number]
        figures = [_truth(image, mask)]
        for name, method in methods.items():
            method.set_image(image, result.name)
            figures.append(_views(image, mask, method, titles[name], config.max_clicks))
        category = data.categories[int(data.part.objects.labels[chosen.number]) - 1].name
        examples.append(Example(f"{result.name}: {category}", tuple(figures)))
    return tuple(examples)


def _goodness(entry: tuple[PictureResult, ObjectResult]) -> tuple[float, int]:
    iou = entry[1].clicks[MODEL].iou
    judged = [iou[click - 1] for click in JUDGED_CLICKS if click <= len(iou)]
    return -sum(judged) / len(judged), entry[1].number


def _truth(image: np.ndarray, mask: np.ndarray) -> ExampleFigure:
    shown = _shown(image)
    outlined = draw_masks(shown, [_resize(mask, shown)], colours=[_TRUE_COLOUR])
    height, width = mask.shape
    caption = f"{width} \N{MULTIPLICATION SIGN} {height} pixels, of which the object covers {percent(mask.mean())}."
    return ExampleFigure(
        np.concatenate([*_labelled("object", outlined), *_labelled("picture", shown)]), "Truth", caption
    )


def _views(image: np.ndarray, mask: np.ndarray, method: Method, title: str, max_clicks: int) -> ExampleFigure:
    """What a method made of an object, one view below the other."""
    asked = [click for click in JUDGED_CLICKS if click <= max_clicks]
    made = list(steps(method, mask, asked[-1]))
    views: list[np.ndarray] = []
    words = []
    for number in asked:
        step = made[min(number, len(made)) - 1]
        views += _labelled(_counted(step), _view(image, step))
        words.append(f"{percent(step.iou, digits=0)}{_expected(step.answer)} after {_counted(step)}")
        if number >= len(made):
            break  # nothing is left to click on
    return ExampleFigure(np.concatenate(views), title, f"IoU {', '.join(words)}.")


def _view(image: np.ndarray, step: Step) -> np.ndarray:
    shown = _shown(image)
    scale = shown.shape[1] / image.shape[1], shown.shape[0] / image.shape[0]
    view = draw_masks(shown, [_resize(step.answer.mask, shown)], colours=[_FOUND_COLOUR])
    points = [(click.x * scale[0], click.y * scale[1]) for click in step.clicks]
    return draw_clicks(view, points, [click.positive for click in step.clicks])


def _labelled(words: str, view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A dark bar with words, and the view that belongs below it."""
    width = view.shape[1]
    written = letter(words, width=max(1, width - _MARGIN), size=_LETTERS, colour=_INK, ground=_LABEL_GROUND, bold=True)
    bar = np.empty((written.shape[0], width, 3), np.uint8)
    bar[:] = _LABEL_GROUND
    bar[:, width - written.shape[1] :] = written
    return bar, view


def _counted(step: Step) -> str:
    return "1 click" if len(step.clicks) == 1 else f"{len(step.clicks)} clicks"


def _shown(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    factor = _SIDE / max(height, width)
    return show_stored(image, (max(1, round(height * factor)), max(1, round(width * factor))))


def _resize(mask: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """A mask at the size of a view, nearest at pixel centres."""
    rows, columns = (
        ((np.arange(number) + 0.5) * size / number).astype(np.intp)
        for number, size in zip(shown.shape[:2], mask.shape, strict=True)
    )
    return mask[rows[:, None], columns]


def _expected(answer: Answer) -> str:
    return "" if np.isnan(answer.confidence) else f" (expected {percent(answer.confidence, digits=0)})"
