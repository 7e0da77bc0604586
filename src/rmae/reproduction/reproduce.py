"""A table from its commands to its record and its page."""

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from rmae.evaluation.presets import Task
from rmae.files import read_json
from rmae.reproduction.budgets import BUDGETS, Budget, BudgetName
from rmae.reproduction.gathering import gather
from rmae.reproduction.plan import CutOutFolders, plan
from rmae.reproduction.record import DataRecord, Record, read_records, write_record
from rmae.reproduction.results import write_results
from rmae.reproduction.running import finished_work, run_pieces
from rmae.reproduction.tables import TABLES, Letter, Table


def reproduce(
    table: Letter,
    *,
    budget: BudgetName = "tiny",
    out: str | Path = "runs/reproduce",
    seeds: int = 1,
    also: Sequence[Task] = (),
    cut_outs: CutOutFolders | None = None,
    results: str | Path | None = None,
    jobs: int | None = None,
    stop_after: float | None = None,
) -> Path:
    """Run a table of the paper, or a control, with seeds, and write its record and the results page.

    Each piece of the work, data, regions, a pre-training or an evaluation, is an `rmae` command in a process of its
    own; pieces that other tables or earlier calls have done are not done again. After a stop or a kill the same call
    goes on.

    Args:
        table: Its letter; `rmae reproduce --help` says what each compares.
        budget: tiny = two CPU cores, small = one GPU. Of paper there are commands alone, see `reproduce_commands`.
        out: Folder to work in; the budget's pieces are in a folder of its name.
        seeds: Seeds 0, 1, ... of pre-training and evaluation, at least 1; two or more give intervals.
        also: Tasks besides those that the budget has for the table.
        cut_outs: What scenes are composed from; None = drawn shapes.
        results: Folder of the records and the page; None = `results` in `out`.
        jobs: Most pieces at a time; None = one a GPU or, where there is none, one a core.
        stop_after: Seconds after which to stop with everything saved; None = never.

    Returns:
        The record, `TABLE-BUDGET.json`; `results.md` stands beside it.

    Raises:
        ValueError: An argument is out of its range, or a piece failed; the sentence names its log.
        Stopped: A signal arrived, or the time is over; the same call goes on.
    """
    if budget == "paper":
        raise ValueError("the budget paper is for the paper's data sets on many GPUs; print its commands instead")
    chosen, of = _look_up(table, budget)
    tasks = choose_tasks(of, chosen, also)
    numbers = _seeds(seeds)
    results = Path(out) / "results" if results is None else Path(results)
    _check_results(results, f"{table}-{budget}", numbers, tasks, cut_outs)  # better now than after hours
    workspace = Path(out) / budget
    pieces = plan(of, chosen, seeds=numbers, tasks=tasks, cut_outs=cut_outs and _absolute(cut_outs))
    if jobs is None and chosen.is_for_cpus:
        jobs = len(os.sched_getaffinity(0))
    run_pieces(pieces, workspace, jobs=jobs, stop_after=stop_after)
    record = gather(
        table,
        of,
        budget=budget,
        seeds=numbers,
        tasks=tasks,
        command=_command(table, budget, seeds, also, cut_outs),
        data=_describe(chosen, workspace, cut_outs),
        workspace=workspace,
        work=finished_work(pieces, workspace),
    )
    return _write(record, results)


def reproduce_commands(
    table: Letter,
    *,
    budget: BudgetName = "paper",
    seeds: int = 1,
    also: Sequence[Task] = (),
    cut_outs: CutOutFolders | None = None,
) -> Iterator[str]:
    """The commands of a table, a line each for the shell; arguments are those of `reproduce`.

    They are to be run one after the other in one folder. That of the budget paper has `coco`, `imagenet` and `ade20k`
    in it, with the files as they are published.
    """
    chosen, of = _look_up(table, budget)
    if chosen.scenes is None and cut_outs is not None:
        raise ValueError(f"the budget {budget} is for data sets that you have, and composes none; leave out cut-outs")
    tasks = choose_tasks(of, chosen, also)
    for piece in plan(of, chosen, seeds=_seeds(seeds), tasks=tasks, cut_outs=cut_outs):
        yield shlex.join(("rmae", *piece.arguments))


def choose_tasks(table: Table, budget: Budget, also: Sequence[Task]) -> tuple[Task, ...]:
    """The tasks of a table on a budget, in a fixed order, with those that are asked for besides.

    Raises:
        ValueError: A task is unknown, or the budget has no settings for it.
    """
    for task in also:
        if task not in budget.tasks:
            raise ValueError(f"there is no task {task!r} to add; there are {', '.join(budget.tasks)}")
    usual = {task for task in table.tasks if task not in budget.left_out}
    return tuple(task for task in budget.tasks if task in usual | set(also))


def _write(record: Record, folder: Path) -> Path:
    """Write a record, and the page of all records that are beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record.name}.json"
    write_record(record, path)
    write_results(folder, folder / "results.md", {letter: each.text for letter, each in TABLES.items()})
    return path


def _look_up(table: Letter, budget: BudgetName) -> tuple[Budget, Table]:
    for what, name, known in (("table", table, TABLES), ("budget", budget, BUDGETS)):
        if name not in known:
            raise ValueError(f"there is no {what} {name!r}; there are {', '.join(known)}")
    return BUDGETS[budget], TABLES[table]


def _check_results(
    folder: Path, name: str, seeds: Sequence[int], tasks: Sequence[Task], cut_outs: CutOutFolders | None
) -> None:
    """Raise a ValueError if a page could not be written, or if a record would be lost that says more than the new."""
    pictures = "drawn scenes" if cut_outs is None else _in_words(cut_outs.classes)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; choose a folder for records and page (--results)")
    for record in read_records(folder) if folder.is_dir() else ():
        if record.name == name and _pictures_of(record) != pictures:
            raise ValueError(
                f"{folder / name}.json is of {_pictures_of(record)}, not of {pictures}; choose another folder "
                "(--results)"
            )
        if record.name == name and not (set(record.seeds) <= set(seeds) and record.tasks.keys() <= set(tasks)):
            raise ValueError(
                f"{folder / name}.json has {len(record.seeds)} seed(s) and the tasks {', '.join(record.tasks)}, which "
                "is more than is asked for; ask for as much (--seeds, --with), or choose another folder (--results)"
            )


def _pictures_of(record: Record) -> str:
    words = shlex.split(record.command)
    if "--cut-outs" not in words:
        return "drawn scenes"
    return _in_words(words[words.index("--classes") + 1 :] if "--classes" in words else ())


def _in_words(classes: Sequence[str]) -> str:
    return f"cut-outs ({', '.join(classes) or 'all classes'})"


def _seeds(number: int) -> range:
    if number < 1:
        raise ValueError(f"seeds is {number}; it must be at least 1")
    return range(number)


def _absolute(cut_outs: CutOutFolders) -> CutOutFolders:
    """The same from any folder, since commands run in the workspace."""
    return cut_outs._replace(cut_outs=cut_outs.cut_outs.resolve(), photographs=cut_outs.photographs.resolve())


def _command(
    table: Letter, budget: BudgetName, seeds: int, also: Sequence[Task], cut_outs: CutOutFolders | None
) -> str:
    """What makes the record again, as it was asked for; what does not change it is left out."""
    words = ["rmae", "reproduce", table, "--budget", budget, "--seeds", str(seeds)]
    if also:
        words += ["--with", ",".join(also)]
    if cut_outs is not None:
        words += ["--cut-outs", str(cut_outs.cut_outs), "--photographs", str(cut_outs.photographs)]
        if cut_outs.classes:
            words += ["--classes", *cut_outs.classes]
    return shlex.join(words)


def _describe(budget: Budget, workspace: Path, cut_outs: CutOutFolders | None) -> DataRecord:
    """The scenes, as they were made."""
    scenes = budget.scenes
    assert scenes is not None
    annotations = workspace / budget.data.images / "annotations" / "instances_val2017.json"
    classes = [each["name"] for each in read_json(annotations)["categories"]]
    kind = "drawn" if cut_outs is None else "photographic cut-outs on pictures"
    return DataRecord(
        description=f"{kind}: {', '.join(classes)}; {scenes.side} x {scenes.side} pixels; nearest neighbours and "
        f"linear probe: {scenes.classified:,} pictures of one object, and {scenes.classified_val:,} to validate on",
        train=scenes.train,
        labelled=scenes.labelled,
        val=scenes.val,
        classes=len(classes),
    )
