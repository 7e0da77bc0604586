"""Training, its reports and its presets."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rmae.cli.parsing import parse, value_of
from rmae.cli.preset_argument import preset_named, split_preset
from rmae.cli.region_sources import region_source_registry

if TYPE_CHECKING:
    from rmae.config import PretrainConfig


def pretrain(arguments: list[str]) -> None:
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
    chosen = parse(
        PretrainArguments,
        "pretrain",
        split_preset(arguments)[1],
        default=default,
        operands="[PRESET]",
        registry=region_source_registry(default.config.data.regions),
    )

    from rmae import runs
    from rmae.training.finite import NonFiniteError

    try:
        run_folder = runs.pretrain(chosen.config, data=chosen.data, out=chosen.out, resume=chosen.resume)
    except NonFiniteError as error:
        raise ValueError(error) from error
    print(f"report: {run_folder / 'report.html'}")


def _default_config(arguments: list[str]) -> "PretrainConfig":
    """The configuration that the flags change: of the preset, or of the run that is resumed."""
    of_preset = preset_named(split_preset(arguments)[0] or "demo")
    if "--resume" in arguments and (out := value_of("--out", arguments)):
        from rmae.training.run_folder import read_run

        return read_run(Path(out)).config()
    return of_preset


def report(arguments: list[str]) -> None:
    """Write the report of a run anew."""
    import tyro

    @dataclass(frozen=True, kw_only=True)
    class ReportArguments:
        """Write the report of a run anew, from its newest checkpoint."""

        run: tyro.conf.Positional[Path]
        """Folder of the run."""
        data: Path | None = None
        """Folder of the images; None = where they were in training."""

    chosen = parse(ReportArguments, "report", arguments)

    from rmae import runs

    print(f"report: {runs.report(chosen.run, data=chosen.data)}")


def presets(arguments: list[str]) -> None:
    """List the named runs."""

    @dataclass(frozen=True, kw_only=True)
    class PresetsArguments:
        """List the named runs with their numbers of trainable parameters."""

    parse(PresetsArguments, "presets", arguments)

    import torch

    from rmae.models.build import build_model, num_trainable_parameters
    from rmae.presets import PRESETS

    for name, make in PRESETS.items():
        with torch.device("meta"):
            parameters = num_trainable_parameters(build_model(make().model))
        print(f"{name:<24} {parameters:>12,} parameters  {(make.__doc__ or '').strip()}")
