"""The results page: all tables that were run, and what they say of the paper's claims."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rmae.reproduction.contrasts import Claim, Judgement, Verdict
from rmae.reproduction.figures import tell_contrast, tell_seeds
from rmae.reproduction.markdown import escape, table
from rmae.reproduction.record import Record
from rmae.reproduction.record_section import VERDICT_WORDS, heading, judgements, section
from rmae.reproduction.score_words import words_for
from rmae.reproduction.table_text import TableText

READING = "reading"
"""Under which name the text for the top of the page is found."""

_INTRODUCTION = """\
The tables of the [R-MAE paper](https://arxiv.org/abs/2306.05411), and controls that its reviewers asked for, run again
with this code. Budgets but for `paper` are far smaller than the paper's: each section says on what data. What fails on
a small budget may hold on the paper's; what holds was seen here, not there. `rmae reproduce` trains and evaluates,
`rmae results` writes this page from the records that it leaves; what somebody makes of it, and says so, is all
that is written by hand."""

_HOW_TO_READ = """\
- **Scores** are in percent, but for numbers of clicks: mean ± standard deviation over the seeds. A seed is a
  pre-training with everything that follows from it. In plots it is a dot, the mean is a stroke, the deviation a line to
  both sides of it; the dashed line is the mean from scratch, where there is one.
- **Ours** is the difference that a claim is about, in percentage points or clicks, and the interval that holds it with
  95 % confidence: Student's t of the differences seed by seed, since encoders of one seed share the order of pictures,
  crops and masks. It tells what other seeds would give, not other pictures or other sizes.
- **holds**: the whole interval lies on the side that the paper tells. Where it tells of no difference, 0 lies inside,
  and where it tells of no gain, not all of it lies above 0: none is seen, which of few seeds does not mean that there
  is none.
- **fails**: the whole interval lies on the other side, or, where the paper tells of no difference, beside 0.
- **within noise**: 0 lies inside, so these seeds do not decide it. **one seed**: there is no interval.
- **above**, **below**: what was found where we know of nothing that the paper tells, so there is no verdict.
- **GMAC** are multiply-adds of a forward pass in pre-training, in 1e9, of one image. **Minutes** are those of one
  pre-training, the median over the seeds, as measured on the machine named there; others may have run beside it.

Of twenty intervals one misses by chance alone, and there are many here: look for what holds in several scores. An
interval as narrow as a point means that all seeds gave the same difference, as happens by chance where a score has few
values."""

_JUDGED: tuple[Verdict, ...] = ("holds", "fails", "within noise", "one seed")


class _Found(NamedTuple):
    """What a record says of a claim for a score."""

    record: Record
    claim: Claim
    score: str
    judgement: Judgement


def results_page(
    records: Sequence[Record],
    tables: Mapping[str, TableText],
    *,
    plots: str,
    folder: str = ".",
    readings: Mapping[str, str] | None = None,
) -> str:
    """Write the page.

    Args:
        records: What was run, at least one, in the order of their sections.
        tables: What tables say in words, by letter; one that is not there has a section without words.
        plots: Folder of the plots, seen from the page: `a-tiny.svg` and so on.
        folder: Folder of the records, seen from the page: `a-tiny.json` and so on.
        readings: What somebody wrote about the records, Markdown, by the names of the records, and by `reading` what is
            to stand at the top of the page; None = nothing.

    Returns:
        Markdown, the same for the same input.
    """
    readings = readings or {}
    found = _all_found(records, tables)
    paragraphs = ["# Results", _INTRODUCTION]
    if READING in readings:
        paragraphs.append(readings[READING].strip())
    paragraphs += ["## How to read it", _HOW_TO_READ]
    if claims := [each for each in found if each.claim.expected is not None]:
        paragraphs += ["## The claims", _tally(claims), _claims(claims, has_source=True)]
    if others := [each for each in found if each.claim.expected is None]:
        paragraphs += ["## What the paper does not tell", _claims(others, has_source=False)]
    paragraphs += ["## The tables", _contents(records, tables)]
    sections = (
        section(
            record,
            tables.get(record.table),
            plot=f"{plots}/{record.name}.svg",
            file=f"{folder}/{record.name}.json".removeprefix("./"),
            reading=readings.get(record.name, ""),
        )
        for record in records
    )
    return "".join(f"{paragraph}\n\n" for paragraph in paragraphs) + "".join(sections).rstrip() + "\n"


def _all_found(records: Sequence[Record], tables: Mapping[str, TableText]) -> list[_Found]:
    """By table, claim and record, so that budgets stand below each other.

    Encoders of one name are the same in all tables: what one table has said already, of the same seeds, others do not
    say again.
    """
    found: dict[tuple[object, ...], _Found] = {}
    for letter in sorted({record.table for record in records} & tables.keys()):
        for claim in tables[letter].claims:
            for record in (record for record in records if record.table == letter):
                for score, judgement in judgements(record, claim):
                    arms = tuple(sorted(claim.contrast.items()))
                    key = (record.budget, arms, claim.expected, score, judgement.contrast.estimate)
                    found.setdefault(key, _Found(record, claim, score, judgement))
    return list(found.values())


def _tally(found: Sequence[_Found]) -> str:
    """Verdicts in numbers, by budget."""
    rows = []
    for budget in dict.fromkeys(each.record.budget for each in found):
        counts = Counter(each.judgement.verdict for each in found if each.record.budget == budget)
        rows.append([budget, str(counts.total()), *(str(counts[verdict]) for verdict in _JUDGED)])
    return table(["budget", "comparisons", *(VERDICT_WORDS[verdict] for verdict in _JUDGED)], rows, words=1).rstrip()


def _claims(found: Sequence[_Found], *, has_source: bool) -> str:
    """Claims in a table; what is the same as in the row above is left out."""
    rows: list[list[str]] = []
    above: list[str] = []
    for each in found:
        words = words_for(each.score)
        estimate, interval = tell_contrast(each.judgement.contrast, words)
        place = [
            f"{each.record.table}: {each.claim.words}",
            *([each.claim.source] if has_source else []),
            f"[{each.record.budget}](#{each.record.name})",
        ]
        cells = ["" if place[: number + 1] == above[: number + 1] else cell for number, cell in enumerate(place)]
        ours = f"{estimate} ({interval})" if interval else estimate
        ours += tell_seeds(each.judgement.num_seeds, len(each.record.seeds))
        rows.append([*cells, escape(words.name), ours, VERDICT_WORDS[each.judgement.verdict]])
        above = place
    source = ["what the paper says"] if has_source else []
    last = "verdict" if has_source else "found"
    header = ["claim" if has_source else "comparison", *source, "budget", "score", "ours (95 % interval)", last]
    return table(header, rows, words=len(header)).rstrip()


def _contents(records: Sequence[Record], tables: Mapping[str, TableText]) -> str:
    return "\n".join(f"- [{heading(record, tables.get(record.table))}](#{record.name})" for record in records)
