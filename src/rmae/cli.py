"""The command line: the only file that knows it. What is heavy is imported inside each command."""

import difflib
import io
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

if TYPE_CHECKING:
    from rmae.config import PretrainConfig

DONE, FAILED, WRONG_USAGE, STOPPED = 0, 1, 2, 3
"""Exit codes."""

Arguments = TypeVar("Arguments")


class UsageError(Exception):
    """The command line makes no sense; the message says why in one sentence."""


class _Command(NamedTuple):
    summary: str
    run: Callable[[list[str]], None]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit: 0 done, 1 failed, 2 wrong usage, 3 stopped by a signal with the state saved."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run a command; returns its exit code. Errors of the user are one line on standard error."""
    commands = {
        "pretrain": _Command("Pre-train a model on a folder of images, and report on it.", _pretrain),
        "report": _Command("Write the report of a run anew, from its newest checkpoint.", _report),
        "presets": _Command("List the named runs with their numbers of parameters.", _presets),
    }
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview(commands))
        return DONE if arguments else WRONG_USAGE
    name, *rest = arguments
    try:
        if name not in commands:
            raise UsageError(f"there is no command {name!r}{_suggest(name, commands)}")
        commands[name].run(rest)
    except UsageError as error:
        return _complain(error, WRONG_USAGE)
    except BrokenPipeError:
        sys.stdout = None  # whoever read the output has gone; nothing can be said, and nothing has to be
        return FAILED
    except (ValueError, OSError) as error:
        return _complain(error, FAILED)
    except (RuntimeError, MemoryError) as error:
        if "DataLoader worker" in str(error):
            return _complain(
                "a process that reads images was ended from outside, perhaps because memory ran out; lower "
                "--num-workers or --batch-size, then go on with --resume",
                FAILED,
            )
        if not _is_out_of_memory(error):
            raise
        return _complain(
            "out of memory: raise --accumulate (smaller steps, the same result), or take --precision bf16, a smaller "
            "--img-size or a smaller --size",
            FAILED,
        )
    except KeyboardInterrupt:
        return _complain("interrupted", FAILED)
    return DONE


def _overview(commands: dict[str, _Command]) -> str:
    width = max(map(len, commands))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in commands.items()]
    return "\n".join(
        [
            "usage: rmae COMMAND [...]",
            "",
            "Pre-train region-aware Vision Transformers on your own images (R-MAE).",
            "",
            *lines,
            "",
            "Try `rmae pretrain` (a tiny model on bundled photographs, about two minutes on two CPU cores), and see",
            "`rmae COMMAND --help` for the options of a command.",
        ]
    )


def _complain(error: BaseException | str, code: int) -> int:
    # An error from a worker process carries that process's traceback; its own sentence is the last line.
    sentence = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    print(f"rmae: {re.sub(r'^[A-Za-z.]+Error: ', '', sentence)}", file=sys.stderr)
    return code


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return "can't allocate memory" in str(error)


def _suggest(word: str, known: Iterable[str]) -> str:
    known = list(known)
    if not known:
        return ""
    near = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]}?)" if near else f" (there are: {', '.join(known)})"


def _parse(kind: type[Arguments], command: str, arguments: list[str], default: Arguments | None = None) -> Arguments:
    """Parse flags into a dataclass; what is wrong with them becomes one sentence."""
    import tyro

    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            parsed, unknown = tyro.cli(
                kind,
                prog=f"rmae {command}" + (" [PRESET]" if command == "pretrain" else ""),
                args=arguments,
                default=tyro.MISSING_NONPROP if default is None else default,
                config=(tyro.conf.OmitArgPrefixes,),
                registry=_region_source_registry(),
                return_unknown_args=True,
            )
    except SystemExit as error:
        if not error.code:
            raise
        raise UsageError(f"{_first_paragraph(complaint.getvalue())}; see rmae {command} --help") from None
    if unknown:
        near = _suggest(unknown[0], _flags(kind))
        if not unknown[0].startswith("-"):
            near = " (options start with --, and a preset comes before them)"
        raise UsageError(f"there is no option {unknown[0]}{near}; see rmae {command} --help")
    return parsed


def _first_paragraph(box: str) -> str:
    """What a boxed message says, without its title, its frame and its advice below the first rule."""
    words: list[str] = []
    for line in box.splitlines()[1:]:
        text = line.strip("│ ")
        is_rule = set(text) <= set("─-╰╯")  # dashes where the terminal has no box characters; empty lines too
        if is_rule and words:
            break
        if not is_rule:
            words.append(text)
    return re.sub(r"^Error parsing (?:[\w.]+: )?", "", " ".join(words))


def _flags(kind: Any) -> Iterator[str]:
    for field in fields(kind):
        if is_dataclass(field.type):
            yield from _flags(field.type)
        else:
            yield f"--{field.name.replace('_', '-')}"


def _region_source_registry() -> Any:
    """Lets --regions take a source with its own flags in one argument, as in "felzenszwalb --scales 1000"."""
    import tyro.constructors

    from rmae.config import DataConfig

    registry = tyro.constructors.ConstructorRegistry()
    regions_type = next(field.type for field in fields(DataConfig) if field.name == "regions")

    @registry.primitive_rule
    def _(info: tyro.constructors.PrimitiveTypeInfo) -> Any:
        if info.type != regions_type:
            return None
        return tyro.constructors.PrimitiveConstructorSpec(
            nargs=1,
            metavar="'SOURCE [FLAGS]'",
            instance_from_str=lambda words: _parse_regions(words[0]),
            is_instance=lambda value: value is None or callable(value),
            str_from_instance=lambda source: [_regions_in_words(source)],
        )

    return registry


def _parse_regions(text: str) -> Any:
    from rmae.regions.felzenszwalb import Felzenszwalb
    from rmae.regions.sam import SamJson

    sources = {"felzenszwalb": Felzenszwalb, "sam": SamJson}
    name, *flags = shlex.split(text) or [""]
    if name == "none":
        return None
    if name not in sources:
        raise ValueError(f"there is no source of regions {name!r}{_suggest(name, [*sources, 'none'])}")
    return _parse(sources[name], f"... --regions {name}", flags)


def _regions_in_words(source: Any) -> str:
    if source is None:
        return "none"
    if not is_dataclass(source):
        return repr(source)
    settings = {field.name: getattr(source, field.name) for field in fields(source)}
    words = [settings.pop("kind")]
    for name, value in settings.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, tuple) else [value])]
    return shlex.join(words)


def _pretrain(arguments: list[str]) -> None:
    """Pre-train a model on a folder of images."""
    from rmae.config import PretrainConfig
    from rmae.presets import PRESETS

    @dataclass(frozen=True, kw_only=True)
    class PretrainArguments:
        data: Path | None = None
        """Folder of your images, in COCO's or ImageNet's layout or any other; None = scikit-image's photographs."""
        out: Path | None = None
        """Folder of the run, new or empty; None = runs/NAME-TIME."""
        resume: bool = False
        """Go on with the run in --out; its own settings are the defaults then."""
        config: PretrainConfig

    presets = "\n\n".join(f"{name}: {(make.__doc__ or '').strip()}" for name, make in PRESETS.items())
    PretrainArguments.__doc__ = (
        "Pre-train a model on a folder of images, and write a report.\n\nA "
        f"preset sets the defaults of all options below; the default one is demo.\n\n{presets}"
    )
    default = PretrainArguments(config=_default_config(arguments))
    chosen = _parse(PretrainArguments, "pretrain", _without_preset(arguments), default)

    from rmae.runs import pretrain
    from rmae.training.finite import NonFiniteError
    from rmae.interruption import TrainingStopped

    try:
        run_folder = pretrain(chosen.config, data=chosen.data, out=chosen.out, resume=chosen.resume)
    except TrainingStopped as stopped:
        print(f"rmae: {stopped}", file=sys.stderr)
        sys.exit(STOPPED)
    except NonFiniteError as error:
        raise ValueError(error) from error
    print(f"report: {run_folder / 'report.html'}")


def _without_preset(arguments: list[str]) -> list[str]:
    return arguments[1:] if arguments and not arguments[0].startswith("-") else arguments


def _default_config(arguments: list[str]) -> "PretrainConfig":
    """The configuration that the flags change: of the preset, or of the run that is resumed."""
    from rmae.presets import PRESETS, preset

    name = "demo" if _without_preset(arguments) is arguments else arguments[0]
    if name not in PRESETS:
        raise UsageError(f"there is no preset {name!r}{_suggest(name, PRESETS)}")
    if "--resume" in arguments and (out := _value_of("--out", arguments)):
        from rmae.training.run_folder import read_run

        return read_run(Path(out)).config()
    return preset(name)


def _value_of(flag: str, arguments: list[str]) -> str | None:
    for place, argument in enumerate(arguments):
        if argument.startswith(f"{flag}="):
            return argument.removeprefix(f"{flag}=")
        if argument == flag:
            return arguments[place + 1] if place + 1 < len(arguments) else None
    return None


def _report(arguments: list[str]) -> None:
    import tyro

    @dataclass(frozen=True, kw_only=True)
    class ReportArguments:
        """Write the report of a run anew, from its newest checkpoint."""

        run: tyro.conf.Positional[Path]
        """Folder of the run."""
        data: Path | None = None
        """Folder of the images; None = where they were in training."""

    chosen = _parse(ReportArguments, "report", arguments)

    from rmae.runs import report

    print(f"report: {report(chosen.run, data=chosen.data)}")


def _presets(arguments: list[str]) -> None:
    @dataclass(frozen=True, kw_only=True)
    class PresetsArguments:
        """List the named runs with their numbers of trainable parameters."""

    _parse(PresetsArguments, "presets", arguments)

    import torch

    from rmae.models.build import build_model, num_trainable_parameters
    from rmae.presets import PRESETS

    for name, make in PRESETS.items():
        with torch.device("meta"):
            parameters = num_trainable_parameters(build_model(make().model))
        print(f"{name:<24} {parameters:>12,} parameters  {(make.__doc__ or '').strip()}")
