"""One table on one budget, as a section of the results page."""

import math
from collections.abc import Mapping, Sequence
from statistics import median

from rmae.reproduction.contrasts import Claim, Judgement, Verdict, judge, spread
from rmae.reproduction.figures import tell_amount, tell_contrast, tell_seeds, tell_spread
from rmae.reproduction.markdown import code, escape, table
from rmae.reproduction.record import Record, defined_values
from rmae.reproduction.score_words import ScoreWords, words_for
from rmae.reproduction.table_text import TableText
from rmae.visual.figure_words import DASH, NO_BREAK

_MOST_COLUMNS = 5  # scores beside each other in a table

VERDICT_WORDS: dict[Verdict, str] = {
    "holds": "**holds**",
    "fails": "**fails**",
    "within noise": f"within{NO_BREAK}noise",
    "one seed": f"one{NO_BREAK}seed",
    "above": "above",
    "below": "below",
}
"""As Markdown."""


def heading(record: Record, text: TableText | None) -> str:
    """What a section is called, without Markdown's marks."""
    title = f": {text.title}" if text else ""
    return f"Table {record.table}, budget {record.budget}{title}"


def section(record: Record, text: TableText | None, *, plot: str, file: str, reading: str) -> str:
    """Write a section.

    Args:
        record: What came of the table.
        text: The table in words; None = there are none.
        plot: Where the plot of its scores is, seen from the page; shown if there are any scores.
        file: Where the record is, seen from the page.
        reading: What somebody wrote about it, Markdown; "" = nothing.

    Returns:
        Markdown, from the heading to an empty line.
    """
    paragraphs = [f'<a id="{record.name}"></a>', f"## {heading(record, text)}"]
    if text:
        paragraphs.append(text.question)
    paragraphs.append(_what_was_run(record, file))
    if measured_scores(record):
        paragraphs += [f"![{_alternative(record)}]({plot})", *_scores(record)]
    else:
        paragraphs.append("No score is defined.")
    if text:
        paragraphs += [f"*{note}*" for note in text.notes]
        paragraphs += _verdicts(record, text.claims)
    if reading:
        paragraphs += ["### What we make of it", reading.strip()]
    paragraphs += [
        "### What it costs",
        _costs(record),
        "### Run it again",
        f"```sh\n{record.command}\n```",
    ]
    return "".join(f"{paragraph}\n\n" for paragraph in paragraphs)


def judgements(record: Record, claim: Claim) -> list[tuple[str, Judgement]]:
    """What came of a claim for each of its scores that the record has."""
    found = ((score, judge(claim, record, score)) for score in claim.scores if score in record.scores)
    return [(score, judgement) for score, judgement in found if judgement is not None]


def measured_scores(record: Record) -> tuple[str, ...]:
    """Scores of which there is a value, in the order in which they are told."""
    return tuple(score for score in record.scores if any(record.values(arm.name, score) for arm in record.arms))


def _what_was_run(record: Record, file: str) -> str:
    data, seeds = record.data, record.seeds
    told = ", ".join(map(str, seeds))
    alone = f"- **Seed:** {told}, so there are no deviations and no intervals"
    lines = [
        f"- **Data:** {escape(data.description)}; {data.train:,} pictures to pre-train on, {data.labelled:,} with "
        f"labels, {data.val:,} to validate on, {data.classes:,} classes",
        f"- **Seeds:** {told}" if len(seeds) > 1 else alone,
        f"- **Machine:** {_machine(record)}",
        f"- **Code:** {_code(record)}",
        f"- **Record:** [{file.rsplit('/', 1)[-1]}]({file})",
    ]
    return "\n".join(lines)


def _machine(record: Record) -> str:
    machine = record.machine
    packages = machine.get("packages")
    versions = {"Python": machine.get("python"), **(packages if isinstance(packages, Mapping) else {})}
    parts = [
        str(machine.get("processor") or ""),
        f"{machine['cores']} cores" if machine.get("cores") else "",
        f"{machine['memory_gb']} GB of memory" if machine.get("memory_gb") else "",
        *(f"{name} {version}" for name, version in versions.items() if version),
    ]
    return ", ".join(escape(part) for part in parts if part) or "not known"


def _code(record: Record) -> str:
    commits = ", ".join(map(code, record.commits))
    match len(record.commits):
        case 0:
            return "commit not known"
        case 1:
            return f"commit {commits}"
        case _:
            return f"commits {commits}: not all of it was made with the same code"


def _alternative(record: Record) -> str:
    names = "; ".join(words_for(score).name for score in measured_scores(record))
    return escape(f"Every seed as a dot, means as strokes, deviations as lines: {names}")


def _scores(record: Record) -> list[str]:
    """Tables of at least one score, none too wide, about equally wide."""
    scores = measured_scores(record)
    num_tables = math.ceil(len(scores) / _MOST_COLUMNS)
    width = math.ceil(len(scores) / num_tables)
    return [_score_table(record, scores[start : start + width]) for start in range(0, len(scores), width)]


def _score_table(record: Record, scores: Sequence[str]) -> str:
    words = [words_for(score) for score in scores]
    header = ["encoder", *(escape(each.name) + (" (fewer is better)" * each.fewer_is_better) for each in words)]
    rows = []
    for arm in record.arms:
        of_scores = [record.values(arm.name, score) for score in scores]
        rows.append([escape(arm.label), *_cells(of_scores, words, record)])
    for baseline in record.baselines:
        of_scores = [defined_values(baseline.scores.get(score)) for score in scores]
        if any(of_scores):
            rows.append([f"*no encoder: {escape(baseline.label)}*", *_cells(of_scores, words, record)])
    return table(header, rows, words=1).rstrip()


def _cells(of_scores: Sequence[Sequence[float]], words: Sequence[ScoreWords], record: Record) -> list[str]:
    return [
        tell_spread(spread(values) if values else None, each, num_seeds=len(record.seeds))
        for values, each in zip(of_scores, words, strict=True)
    ]


def _verdicts(record: Record, claims: Sequence[Claim]) -> list[str]:
    lines = []
    for claim in claims:
        if found := judgements(record, claim):
            source = f"the paper: {claim.source}" if claim.expected else claim.source
            lines.append(f"- {claim.words} ({source})")
            lines += [
                f"    - {escape(words_for(score).name)}: {_in_words(score, each, claim)}"
                + tell_seeds(each.num_seeds, len(record.seeds))
                for score, each in found
            ]
    return ["### What it says", "\n".join(lines)] if lines else []


def _in_words(score: str, found: Judgement, claim: Claim) -> str:
    estimate, interval = tell_contrast(found.contrast, words_for(score))
    told = f"{VERDICT_WORDS[found.verdict]}, {estimate}"
    match found.verdict:
        case "one seed":
            return f"{told}, without an interval"
        case "holds" if claim.expected == "equal":
            reason = "no difference is seen beyond noise"
        case "holds" if claim.expected == "not above":
            reason = "no gain is seen beyond noise"
        case "within noise":
            reason = "these seeds do not decide it"
        case _:
            return f"{told} (95 % interval {interval})"
    return f"{told} (95 % interval {interval}): {reason}"


def _costs(record: Record) -> str:
    has_flags = any(arm.flags for arm in record.arms)
    rows = [
        [
            escape(arm.label),
            *([code(arm.flags) if arm.flags else DASH] if has_flags else []),
            DASH if arm.parameters is None else f"{arm.parameters:,}",
            tell_amount(arm.gmacs),
            tell_amount(_minutes(record, arm.name)),
        ]
        for arm in record.arms
    ]
    words = ["encoder", *(["flags"] if has_flags else [])]
    costs = table([*words, "parameters", "GMAC", "minutes"], rows, words=len(words)).rstrip()
    stores = {name: seconds / 60 for name, seconds in record.seconds.items() if name.startswith("regions/")}
    if not stores:
        return costs
    told = ", ".join(
        f"{code(name.removeprefix('regions/').removesuffix('.regions'))} {tell_amount(minutes)}"
        for name, minutes in stores.items()
    )
    return f"{costs}\n\nMinutes to make the regions, once for all seeds: {told}."


def _minutes(record: Record, arm: str) -> float | None:
    pieces = [f"pretrain/{arm}/seed_{seed}" for seed in record.seeds]
    seconds = [record.seconds[piece] for piece in pieces if piece in record.seconds]
    return median(seconds) / 60 if seconds else None
