"""The regions of a data set at a glance, as one picture for those who have no browser at hand."""

import io
from collections.abc import Iterable, Iterator

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from rmae.visual.histograms import Inks, draw_areas, draw_counts
from rmae.visual.lettering import Colour, letter
from rmae.visual.region_pictures import RegionPicture, RegionView, region_views
from rmae.visual.region_sheet import RegionSheet
from rmae.visual.region_statistics import RegionStatistics, find_fault, key_figures, region_areas, warnings_in_words

# Those of the page in its light form.
_GROUND, _INK, _MUTED, _ACCENT, _NOTICE = (255, 255, 255), (26, 33, 48), (90, 100, 118), (196, 62, 112), (255, 244, 214)
_INKS = Inks(ground="#ffffff", bars="#2f66d0", text="#1a2130", grid="#e1e5ec", mark="#c43e70")
_COLUMNS = 4  # as many as a picture has views
_SIDE = 380  # pixels of the square into which a view is fitted
_GAP = 20
_MARGIN = 40


def draw_region_sheet(sheet: RegionSheet) -> np.ndarray:
    """Draw a sheet as one picture: figures, histograms, and each picture with its regions.

    Args:
        sheet: What to show.

    Returns:
        Shape (H, 1660, 3) uint8; H is about 1000 for the head and 350 to 500 more for each picture.
    """
    cards = [_card(picture) for picture in sheet.pictures]
    rows = [_beside(row) for row in _fill_rows(cards, _columns_width(_COLUMNS))]
    content = _below([_head(sheet), _histograms(sheet.statistics), *rows], gap=2 * _GAP)
    height, width = content.shape[0] + 2 * _MARGIN, _columns_width(_COLUMNS) + 2 * _MARGIN
    return _on_ground(content, height, width, at=(_MARGIN, _MARGIN))


def _head(sheet: RegionSheet) -> np.ndarray:
    width = _columns_width(_COLUMNS)
    brand = _write("rmae · regions", width, size=20, colour=_ACCENT, bold=True)
    title = _below([brand, _write(sheet.title, width, size=44, bold=True)])
    tiles = _beside([_tile(*figure) for figure in key_figures(sheet.statistics)])
    facts = [_write(f"{name}: {value}", width, size=20) for name, value in sheet.summary.items()]
    notices = [_notice(sentence, width) for sentence in warnings_in_words(sheet.statistics)]
    return _below([title, tiles, *([_below(facts)] if facts else []), *notices], gap=_GAP)


def _tile(name: str, value: str, note: str) -> np.ndarray:
    lines = [
        _write(name, _SIDE, size=19, colour=_MUTED),
        _write(value, _SIDE, size=38, bold=True),
        _write(note, _SIDE, size=18, colour=_MUTED),
    ]
    return _below(lines)


def _histograms(statistics: RegionStatistics) -> np.ndarray:
    if statistics.areas.size == 0:
        return _write("No region was counted, so there is nothing to draw.", _columns_width(_COLUMNS), size=20)
    figures = [draw_counts(statistics.regions_per_image, inks=_INKS), draw_areas(statistics.areas, inks=_INKS)]
    return _beside([_rasterise(figure, width=_columns_width(_COLUMNS // 2)) for figure in figures])


def _rasterise(figure: Figure, *, width: int) -> np.ndarray:
    figure.patch.set_alpha(1)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=width / figure.get_figwidth())
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))


def _card(picture: RegionPicture) -> np.ndarray:
    """The views of a picture beside each other, under its name and what seems wrong with it."""
    views = [_view(view) for view in region_views(picture)]
    width = _columns_width(len(views))
    fault = find_fault(region_areas(picture.label_maps))
    notice = [_notice(f"This picture has {fault.value}.", width)] if fault else []
    return _below([_write(picture.name.replace("\n", " "), width, size=23, bold=True), *notice, _beside(views)], gap=8)


def _view(view: RegionView) -> np.ndarray:
    height, width = view.image.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = np.asarray(Image.fromarray(view.image).resize(size, Image.Resampling.BICUBIC))
    caption = _write(view.caption, _SIDE, size=18, colour=_MUTED)
    return _below([picture, _write(view.title, _SIDE, size=19, bold=True), caption], gap=4)


def _write(text: str, width: int, *, size: int, colour: Colour = _INK, bold: bool = False) -> np.ndarray:
    return letter(text, width=width, size=size, colour=colour, ground=_GROUND, bold=bold)


def _notice(text: str, width: int) -> np.ndarray:
    words = letter(text, width=width - 2 * _GAP, size=20, colour=_INK, ground=_NOTICE)
    return _on_ground(words, words.shape[0] + _GAP, width, at=(_GAP // 2, _GAP), ground=_NOTICE)


def _columns_width(num_columns: int) -> int:
    return num_columns * _SIDE + (num_columns - 1) * _GAP


def _fill_rows(blocks: Iterable[np.ndarray], width: int) -> Iterator[list[np.ndarray]]:
    """Blocks in their order, as many in each row as it has room for."""
    row: list[np.ndarray] = []
    for block in blocks:
        if row and sum(other.shape[1] + _GAP for other in row) + block.shape[1] > width:
            yield row
            row = []
        row.append(block)
    if row:
        yield row


def _beside(blocks: list[np.ndarray]) -> np.ndarray:
    height = max(block.shape[0] for block in blocks)
    widths = [block.shape[1] + _GAP for block in blocks]
    widths[-1] -= _GAP
    return np.hstack([_on_ground(block, height, width) for block, width in zip(blocks, widths, strict=True)])


def _below(blocks: list[np.ndarray], *, gap: int = 0) -> np.ndarray:
    width = max(block.shape[1] for block in blocks)
    heights = [block.shape[0] + gap for block in blocks]
    heights[-1] -= gap
    return np.vstack([_on_ground(block, height, width) for block, height in zip(blocks, heights, strict=True)])


def _on_ground(
    block: np.ndarray, height: int, width: int, *, at: tuple[int, int] = (0, 0), ground: Colour = _GROUND
) -> np.ndarray:
    """A block (h, w, 3) on a plain ground (H, W, 3), with its upper left corner at a row and column."""
    canvas = np.full((height, width, 3), ground, np.uint8)
    canvas[at[0] : at[0] + block.shape[0], at[1] : at[1] + block.shape[1]] = block
    return canvas
