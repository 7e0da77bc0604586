"""The card of a model: a page of Markdown about what it is, where it comes from and how to use it."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rmae.models.assembly import norm_eps_of
from rmae.models.masked_autoencoder import MaskedAutoencoder

_HEAD = """\
---
library_name: rmae
pipeline_tag: image-feature-extraction
tags:
- vision-transformer
- self-supervised-learning
- masked-autoencoder
- r-mae
---
"""
_CITATION = """\
```bibtex
@inproceedings{nguyen2024rmae,
  title = {{R-MAE}: Regions Meet Masked Autoencoders},
  author = {Nguyen, Duy-Kien and Aggarwal, Vaibhav and Li, Yanghao and Oswald, Martin R. and Kirillov, Alexander and
            Snoek, Cees G. M. and Chen, Xinlei},
  booktitle = {International Conference on Learning Representations},
  year = {2024},
  url = {https://arxiv.org/abs/2306.05411}
}
```
"""
_TASKS = {
    "mae": "pixels (MAE)",
    "rae": "region maps (RAE)",
    "rmae": "pixels and region maps (R-MAE)",
}


class RunRecord(NamedTuple):
    """A run in short."""

    settings: dict[str, Any]
    """The run's configuration as JSON."""
    images: str
    """Number of images that it trained on, and a digest of their names."""
    last_metrics: dict[str, float | None]
    """The last line of its `metrics.jsonl`; empty where nothing was logged yet."""


class EvaluationRecord(NamedTuple):
    """An evaluation in short."""

    task: str
    """What was evaluated, as segment."""
    data: str
    """Name of the data set's folder."""
    num_seeds: int
    """Runs that the scores are means of."""
    scores: dict[str, tuple[float | None, float | None]]
    """Mean and standard deviation by name, the headline first; None where there is none."""


def render_card(
    model: MaskedAutoencoder,
    *,
    name: str | None = None,
    run: RunRecord | None = None,
    results: Sequence[EvaluationRecord] = (),
) -> str:
    """Write the card of a model.

    Args:
        model: The model.
        name: Its hub id, "org/name"; None = it is a folder.
        run: The run that trained it; None leaves out what it tells.
        results: Evaluations of it.

    Returns:
        Markdown with YAML before it. Whatever the texts of the user hold, they are shown as text.
    """
    sections = [
        f"{_HEAD}\n# {_escape(name) if name else 'A masked autoencoder'}\n",
        f"A Vision Transformer, pre-trained by reconstructing hidden {_TASKS[model.config.task]}. Its encoder turns an "
        "image into a token for each patch and a class token.\n",
        "## What it is\n",
        _table(_architecture(model)),
        "## Use\n",
        _use(name),
    ]
    if run is not None:
        sections += ["## How it was trained\n", _table(_training(run)), _settings(run.settings)]
    for result in results:
        over = f"{result.num_seeds} seed(s)" + (", mean ± standard deviation" if result.num_seeds > 1 else "")
        sections += [
            f"## Evaluation: {_escape(result.task)}\n",
            f"On {_escape(result.data)}, {over}.\n",
            _table([(score, _with_deviation(*figures)) for score, figures in result.scores.items()]),
        ]
    return "\n".join([*sections, "## Citation\n", _CITATION])


def _architecture(model: MaskedAutoencoder) -> list[tuple[str, str]]:
    config = model.config
    embed_dim, depth, num_heads = config.encoder_shape
    height, width = config.image_hw
    rows = [
        ("Images", f"{height} x {width} pixels, {config.channels} channel(s)"),
        ("Patches", f"{config.patch_size} x {config.patch_size} pixels"),
        ("Encoder", f"width {embed_dim}, {depth} blocks, {num_heads} heads, {_millions(model.encoder)}"),
    ]
    if model.pixel_decoder is not None:
        shape = f"width {config.decoder_embed_dim}, {config.decoder_depth} block(s), {config.decoder_num_heads} heads"
        rows.append(("Pixel decoder", f"{shape}, {_millions(model.pixel_decoder)}"))
    if model.region_branch is not None:
        shape = f"{config.region_variant}, width {config.region_embed_dim}, neck of {config.neck_depth} block(s)"
        rows.append(("Region branch", f"{shape}, {_millions(model.region_branch)}"))
    for what, values in (("mean", model.pixel_mean), ("standard deviation", model.pixel_std)):
        rows.append((f"Pixel {what}", "not known" if values is None else ", ".join(f"{value:g}" for value in values)))
    return [*rows, ("Layer norms add", f"{norm_eps_of(model):g}")]


def _millions(part: Any) -> str:
    return f"{sum(parameter.numel() for parameter in part.parameters()) / 1e6:,.1f} M parameters"


def _use(name: str | None) -> str:
    source = json.dumps(name) if name else '"THIS FOLDER"'
    images = "(B, M, H, W) float, in [0, 1], minus the pixel mean, over the standard deviation"
    lines = [
        "import rmae",
        "",
        f"model = rmae.load({source}).eval()",
        f"features = rmae.encode(model, images)  # images {images}",
        "vit = model.encoder  # a timm VisionTransformer",
    ]
    return "\n".join(["```python", *lines, "```", ""])


def _training(run: RunRecord) -> list[tuple[str, str]]:
    rows = [("Images", run.images)] if run.images else []
    for key, value in run.last_metrics.items():
        if isinstance(value, int | float) and (key in ("update", "epoch") or "loss" in key):
            rows.append((_LABELS.get(key, f"Last {key.replace('_', ' ')}"), f"{value:.6g}"))
    return rows


_LABELS = {"update": "Updates", "epoch": "Epochs"}


def _settings(settings: Mapping[str, Any]) -> str:
    """The run's configuration, folded; where it kept its regions concerns nobody else."""
    data = {name: value for name, value in settings.get("data", {}).items() if name != "region_store"}
    text = json.dumps({**settings, "data": data}, indent=2)  # no line of which can begin with backticks
    return f"<details>\n<summary>All settings</summary>\n\n```json\n{text}\n```\n\n</details>\n"


def _with_deviation(mean: float | None, std: float | None) -> str:
    return "not defined" if mean is None else f"{mean:.4f}" + ("" if std is None else f" ± {std:.4f}")


def _table(rows: list[tuple[str, str]]) -> str:
    lines = [f"| {_escape(name)} | {_escape(value)} |" for name, value in rows]
    return "\n".join(["| | |", "|---|---|", *lines, ""])


def _escape(text: str) -> str:
    """Text that Markdown and HTML show as it is, on one line."""
    line = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", line)
