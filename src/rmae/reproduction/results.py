"""From a folder of records to the results page and its plots."""

import math
import os
from collections.abc import Mapping
from pathlib import Path

from rmae.files import write_atomically
from rmae.reproduction.contrasts import spread
from rmae.reproduction.figures import tell_spread
from rmae.reproduction.page import READING, results_page
from rmae.reproduction.record import Record, read_records
from rmae.reproduction.record_section import measured_scores
from rmae.reproduction.score_words import words_for
from rmae.reproduction.table_text import TableText
from rmae.visual.score_dots import DotPanel, Dots, draw_score_dots

REFERENCE_ARMS = ("scratch", "mae")
"""Arms that others are seen against in plots, the first one that there is."""


def write_results(folder: Path, out: Path, tables: Mapping[str, TableText]) -> tuple[Record, ...]:
    """Write the page and its plots.

    Args:
        folder: Records, `a-tiny.json` and so on; beside them there may be texts in Markdown that the page takes in:
            `a-tiny.md` in that table's section, `reading.md` at the top.
        out: The page to write or to replace. Plots go beside it, to `assets/NAME/a-tiny.svg` and so on, where NAME is
            the page's without its ending.
        tables: What tables say in words, by letter.

    Returns:
        What the page is about.

    Raises:
        ValueError: There is no such folder, no record in it, or a file in it is no whole record.
        OSError: Something cannot be read or written.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}; give the one that `rmae reproduce` leaves its records in")
    records = read_records(folder)
    if not records:
        raise ValueError(f"there are no records (*.json) in {folder}; `rmae reproduce` makes them")
    readings = _read_texts(folder, records)
    plots = out.parent / "assets" / out.stem
    plots.mkdir(parents=True, exist_ok=True)
    for record in filter(measured_scores, records):
        _draw(record, plots / f"{record.name}.svg")
    page = results_page(
        records,
        tables,
        plots=plots.relative_to(out.parent).as_posix(),
        folder=Path(os.path.relpath(folder.resolve(), out.parent.resolve())).as_posix(),
        readings=readings,
    )
    write_atomically(out, page)
    return records


def _read_texts(folder: Path, records: tuple[Record, ...]) -> dict[str, str]:
    texts = {}
    for name in (READING, *(record.name for record in records)):
        file = folder / f"{name}.md"
        if file.is_file():
            try:
                texts[name] = file.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                raise ValueError(f"{file} is not text in UTF-8; save it as that") from None
    return texts


def _draw(record: Record, path: Path) -> None:
    names = [arm.name for arm in record.arms]
    reference = next((names.index(name) for name in REFERENCE_ARMS if name in names), None)
    draw_score_dots(
        [arm.label for arm in record.arms],
        [_panel(record, score) for score in measured_scores(record)],
        reference=reference,
        title=f"Table {record.table}, budget {record.budget}: scores of each encoder, seed by seed",
        path=path,
    )


def _panel(record: Record, score: str) -> DotPanel:
    words = words_for(score)
    rows = []
    for arm in record.arms:
        values = record.values(arm.name, score)
        found = spread(values) if values else None
        rows.append(
            Dots(
                seeds=tuple(value * words.scale for value in values),
                mean=found.mean * words.scale if found else math.nan,
                deviation=found.deviation * words.scale if found else math.nan,
                words=tell_spread(found, words, num_seeds=len(values)),
            )
        )
    return DotPanel(words.name + " (fewer is better)" * words.fewer_is_better, tuple(rows))
