"""Running the paper's tables again."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from rmae.cli.parsing import UsageError, parse, suggest

if TYPE_CHECKING:
    from rmae.evaluation.presets import Task
    from rmae.reproduction.plan import CutOutFolders


@dataclass(frozen=True, kw_only=True)
class Working:
    """Where and how it is run; only the last one matters where commands are printed."""

    out: Path = Path("runs/reproduce")
    """Folder to work in; commands, logs and models of a budget are in a folder of its name."""
    results: Path | None = None
    """Folder for records and the page; None = results in --out."""
    jobs: int | None = None
    """Most commands at a time, at least 1; None = one a GPU or, on CPUs, one a core."""
    stop_after: float | None = None
    """Minutes after which to stop with everything saved, above 0; None = go on to the end."""
    dry_run: bool = False
    """Print the commands, to be run one after the other in one folder, and run none."""


def reproduce(arguments: list[str]) -> None:
    """Run a table again."""
    import tyro

    @dataclass(frozen=True, kw_only=True)
    class ReproduceArguments:
        """Run a table of the paper, or a control that reviewers asked for, with seeds, and say what holds.

        a: from scratch, MAE, RAE and R-MAE on all tasks. b: variants of the region decoder and their cost. c: sources
        of regions, random ones among them. d: mask ratios. e: which branch feeds the other. f: the region loss. g: the
        number of regions. h: MAEs with as many parameters and with as much arithmetic. i: the length of pre-training.

        Everything is made, trained and evaluated by rmae's own commands, several at a time. Stopped or killed, the same
        command goes on; what another table has done already is not done again.
        """

        table: Annotated[
            tyro.conf.Positional[Literal["a", "b", "c", "d", "e", "f", "g", "h", "i"]], tyro.conf.arg(metavar="TABLE")
        ]
        """Which one, as above."""
        budget: Literal["tiny", "small", "paper"] = "tiny"
        """tiny = scenes and two CPU cores, small = scenes and one GPU.
        paper = print the commands for a folder that has coco, imagenet and ade20k in it."""
        seeds: int = 1
        """Seeds of pre-training and evaluation, at least 1; two or more give intervals and verdicts."""
        also: Annotated[tuple[str, ...], tyro.conf.arg(name="with")] = ()
        """Tasks besides those of the budget, as in detect,linear."""
        cut_outs: Path | None = None
        """Folder of pictures with alpha, a folder a class, to compose scenes of; None = drawn shapes."""
        photographs: Path | None = None
        """Folder of photographs to lay cut-outs on; given with --cut-outs."""
        classes: tuple[str, ...] = ()
        """Classes of cut-outs to take; none given = all with enough pictures."""
        working: Working = field(default_factory=Working)

    chosen = parse(ReproduceArguments, "reproduce", arguments)
    cut_outs = _cut_outs(chosen.cut_outs, chosen.photographs, chosen.classes)

    from rmae.reproduction import reproduce as reproduction

    also, working = _tasks(chosen.also), chosen.working
    if working.dry_run or chosen.budget == "paper":
        for line in reproduction.reproduce_commands(
            chosen.table, budget=chosen.budget, seeds=chosen.seeds, also=also, cut_outs=cut_outs
        ):
            print(line)
        return
    record = reproduction.reproduce(
        chosen.table,
        budget=chosen.budget,
        out=working.out,
        seeds=chosen.seeds,
        also=also,
        cut_outs=cut_outs,
        results=working.results,
        jobs=working.jobs,
        stop_after=None if working.stop_after is None else 60 * working.stop_after,
    )
    print(f"record: {record}")
    print(f"page: {record.with_name('results.md')}")


def _cut_outs(cut_outs: Path | None, photographs: Path | None, classes: tuple[str, ...]) -> "CutOutFolders | None":
    from rmae.reproduction.plan import CutOutFolders

    if cut_outs is None or photographs is None:
        if cut_outs is not None:
            raise UsageError("--cut-outs is given without --photographs; name the folder to lay them on as well")
        if photographs is not None:
            raise UsageError("--photographs is given without --cut-outs; name the folder of what lies on them as well")
        if classes:
            raise UsageError("--classes is given without --cut-outs; drawn shapes are always the same three classes")
        return None
    for folder in (cut_outs, photographs):
        if not folder.is_dir():
            raise ValueError(f"there is no folder {folder}")
    return CutOutFolders(cut_outs, photographs, classes)


def _tasks(words: tuple[str, ...]) -> "tuple[Task, ...]":
    """Tasks as `detect,linear` or as words of their own."""
    from rmae.evaluation.presets import Task

    known = {str(task): task for task in get_args(Task)}
    names = [name for word in words for name in word.split(",") if name]
    for name in names:
        if name not in known:
            raise UsageError(f"--with names {name!r}{suggest(name, known)}")
    return tuple(known[name] for name in dict.fromkeys(names))
