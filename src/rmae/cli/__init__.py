"""The command line: the only package that knows it. What is heavy is imported inside each command."""

import os
import re
import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from importlib import import_module
from io import TextIOWrapper
from typing import NamedTuple, NoReturn

from rmae.cli.parsing import UsageError, suggest
from rmae.interruption import EndedBySignal, FailedElsewhere, Stopped, StoppedElsewhere, stopped_at_once
from rmae.out_of_memory import is_out_of_memory
from rmae.quoting import LONGEST_SENTENCE, one_line
from rmae.training.launch import is_first, is_first_here

DONE, FAILED, WRONG_USAGE, STOPPED = 0, 1, 2, 3
"""Exit codes."""


class _Command(NamedTuple):
    summary: str
    module: str
    """Where it stands in this package."""
    function: str
    """What to call there with the arguments that follow the command."""
    if_memory_runs_out: str = "close other programs"
    """What to do then."""


_LESS_AT_ONCE = "raise --accumulate (smaller steps), or take --precision bf16, a smaller --batch-size or --img-size"
_COMMANDS = {
    "pretrain": _Command(
        "Pre-train a model on a folder of images, and report on it.",
        "pretrain",
        "pretrain",
        "raise --accumulate (smaller steps, the same result), or take --precision bf16, a smaller --img-size or a "
        "smaller --size",
    ),
    "report": _Command("Write the report of a run anew, from its newest checkpoint.", "pretrain", "report"),
    "presets": _Command("List the named runs with their numbers of parameters.", "pretrain", "presets"),
    "regions make": _Command(
        "Make the regions of a data set and store them.", "regions", "make", "take fewer processes (--num-workers)"
    ),
    "regions show": _Command("Show regions over pictures, with counts and areas.", "regions", "show"),
    "pack": _Command(
        "Pack images and their regions into a few files that training reads fast.",
        "pack",
        "pack",
        "take fewer processes (--num-workers)",
    ),
    "scenes": _Command(
        "Draw scenes with exact truth, or compose them of photographic cut-outs: data to train and evaluate on.",
        "scenes",
        "scenes",
        "take fewer processes (--num-workers)",
    ),
    "evaluate knn": _Command(
        "Classify pictures by their nearest neighbours in an encoder's features.", "evaluate", "knn", _LESS_AT_ONCE
    ),
    "evaluate linear": _Command("Train a linear classifier on a frozen encoder.", "evaluate", "linear", _LESS_AT_ONCE),
    "evaluate finetune": _Command(
        "Train an encoder further to classify pictures.", "evaluate", "finetune", _LESS_AT_ONCE
    ),
    "evaluate segment": _Command(
        "Train an encoder further to segment pictures by class.", "evaluate", "segment", _LESS_AT_ONCE
    ),
    "evaluate detect": _Command(
        "Train an encoder further to detect and outline objects.", "evaluate", "detect", _LESS_AT_ONCE
    ),
    "evaluate localise": _Command(
        "Measure how well an encoder's attention and features outline objects.",
        "evaluate",
        "localise",
        "take a smaller --batch-size or --img-size",
    ),
    "evaluate interactive": _Command(
        "Measure how well a model completes objects from clicks and from few visible patches.",
        "evaluate",
        "interactive",
        "take fewer processes (--devices)",
    ),
    "app": _Command("Serve a page on which people click on objects and see what a model makes of it.", "app", "app"),
    "visualize": _Command(
        "Look at what a model makes of pictures: reconstructions, regions, attention, features.",
        "visualize",
        "visualize",
        "take a smaller --img-size or fewer pictures (--num-images)",
    ),
    "export timm": _Command("Write the pixel encoder for timm.", "export", "timm"),
    "export transformers": _Command(
        "Write the pixel encoder, or the whole MAE, for transformers.", "export", "transformers"
    ),
    "export detectron2": _Command("Write the pixel encoder as ViTDet's backbone.", "export", "detectron2"),
    "export reference": _Command(
        "Write all weights by the names of the published MAE and R-MAE code.", "export", "reference"
    ),
    "reproduce": _Command(
        "Run the paper's tables again, with seeds and controls, on any budget.",
        "reproduce",
        "reproduce",
        "take fewer pieces at a time (--jobs)",
    ),
    "results": _Command("Write the page about reproduced tables from their records.", "results", "results"),
    "benchmark regions": _Command(
        "Measure the making of regions beside scikit-image's.", "benchmark_regions", "benchmark_regions"
    ),
    "benchmark clicks": _Command(
        "Time a click in interactive segmentation, beside the look at the picture.",
        "benchmark_clicks",
        "benchmark_clicks",
        "take a smaller --picture-size, --img-size or --size",
    ),
    "benchmark flops": _Command(
        "Count and time what a model's choices cost, beside MAE.",
        "benchmark_flops",
        "benchmark_flops",
        "take a smaller --batch-size, --img-size or --size",
    ),
    "benchmark data": _Command(
        "Measure what a sample costs, stage by stage, and images a second by number of workers.",
        "benchmark_data",
        "benchmark_data",
        "take a smaller --batch-size",
    ),
    "benchmark scenes": _Command(
        "Measure how fast scenes of photographic cut-outs are composed and written.",
        "benchmark_scenes",
        "benchmark_scenes",
        "take a smaller --img-size or --num-scenes",
    ),
    "benchmark train": _Command(
        "Time training steps beside MAE's, compiled or not, on real and synthetic data.",
        "benchmark_train",
        "benchmark_train",
        "take a smaller --batch-size, --img-size or --size, or --checkpoint-activations",
    ),
}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit: 0 done, 1 failed, 2 wrong usage, 3 stopped by a signal with the state saved."""
    if isinstance(sys.stdout, TextIOWrapper):  # names of files may hold what an output does not
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run a command; returns its exit code. Errors of the user are one line on standard error."""
    overview = _overview_asked_for(list(arguments))
    if overview is not None:
        print(overview)
        return DONE if arguments else WRONG_USAGE
    try:
        with stopped_at_once():
            return _run(list(arguments))
    except Stopped as stopped:
        return _complain(stopped, STOPPED)


def _run(arguments: list[str]) -> int:
    try:
        _call(*_find(arguments))
    except UsageError as error:
        return _complain(error, WRONG_USAGE)
    except Stopped as stopped:
        return _complain(stopped, STOPPED)
    except BrokenPipeError:
        sys.stdout = None  # whoever read the output has gone; nothing can be said, and nothing has to be
        return FAILED
    except (ValueError, OSError, FailedElsewhere) as error:
        return _complain(error, FAILED)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return _complain(f"out of memory: {_find(arguments)[0].if_memory_runs_out}", FAILED)
    except EndedBySignal:
        raise
    except KeyboardInterrupt:
        return _complain("interrupted", FAILED)
    return DONE


def _call(command: _Command, arguments: list[str]) -> None:
    # Of the processes that torchrun or srun starts, one tells what was done.
    with nullcontext() if is_first(os.environ) else redirect_stdout(None):
        getattr(import_module(f"rmae.cli.{command.module}"), command.function)(arguments)


def _find(arguments: list[str]) -> tuple[_Command, list[str]]:
    """The command, of one word or two, and what follows it."""
    for number in (1, 2):
        name = " ".join(arguments[:number])
        if name in _COMMANDS:
            return _COMMANDS[name], arguments[number:]
    first = arguments[0]
    longer = _commands_after(first)
    if not longer:
        raise UsageError(f"there is no command {first!r}{suggest(first, _COMMANDS)}")
    if len(arguments) == 1 or arguments[1].startswith("-"):
        raise UsageError(f"{first!r} is not a command by itself; there are: {', '.join(longer)}")
    raise UsageError(f"there is no command {' '.join(arguments[:2])!r}{suggest(' '.join(arguments[:2]), longer)}")


def _commands_after(word: str) -> list[str]:
    """The commands of two words that begin with this one."""
    return [name for name in _COMMANDS if name.startswith(f"{word} ")]


def _overview_asked_for(arguments: list[str]) -> str | None:
    match arguments:
        case [] | ["-h" | "--help", *_]:
            return _overview()
        case [word, "-h" | "--help", *_] if _commands_after(word):
            return _overview(word)
        case _:
            return None


def _overview(first_word: str = "") -> str:
    """All commands, or those of two words that begin with this one."""
    names = _commands_after(first_word) if first_word else list(_COMMANDS)
    width = max(map(len, names))
    introduction = ["Pre-train region-aware Vision Transformers on your own images (R-MAE).", ""]
    hint = ["Try `rmae pretrain`: a tiny model on bundled photographs, in about two minutes."]
    return "\n".join(
        [
            "usage: rmae COMMAND [...]",
            "",
            *([] if first_word else introduction),
            *(f"  {name:<{width}}  {_COMMANDS[name].summary}" for name in names),
            "",
            *([] if first_word else hint),
            "See `rmae COMMAND --help` for the options of a command.",
        ]
    )


def _complain(error: BaseException | str, code: int) -> int:
    # An error from a worker process carries that process's traceback; its own sentence is the last line.
    sentence = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    if isinstance(error, OSError) and error.filename is not None:
        sentence = f"{error.filename}: {error.strerror}"
    # Processes that were started together say alike what is wrong before they have met; later only one of them does.
    have_met = isinstance(error, FailedElsewhere | StoppedElsewhere)
    if str(error) if have_met else is_first_here(os.environ):
        sentence = re.sub(r"^[A-Za-z.]+Error: ", "", sentence)
        print(
            f"rmae: {one_line(sentence, longest=LONGEST_SENTENCE)}", file=sys.stderr
        )  # a name may hold a terminal's commands
    return code
