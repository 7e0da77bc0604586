"""What came of an evaluation as JSON."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rmae.evaluation.folder import Estimate
from rmae.evaluation.localisation.summary import KINDS, EncoderSummary, Scores, Summary
from rmae.files import write_atomically

FORMAT_VERSION = 1
"""Version of the file."""


def write_results(summary: Summary, path: Path) -> None:
    """Write everything that was measured; what is not a number becomes null."""
    saved = {
        "format": "localisation",
        "version": FORMAT_VERSION,
        "objects": summary.num_objects,
        "pictures": summary.num_pictures,
        "left_out": dict(summary.left_out),
        "controls": {name: _of_scores(scores) for name, scores in summary.controls.items()},
        "encoders": [_of_encoder(encoder) for encoder in summary.encoders],
        "differences": [
            {"encoder": each.encoder, "kind": each.kind, "to": each.to, "scores": _of_scores(each.scores)}
            for each in summary.differences
        ],
    }
    write_atomically(path, json.dumps(saved, indent=2, allow_nan=False) + "\n")


def _of_encoder(encoder: EncoderSummary) -> dict[str, Any]:
    return {
        "name": encoder.name,
        "layer": encoder.layer,
        **{kind: _of_scores(encoder.maps[kind]) for kind in KINDS},
        "undefined": {kind: dict(counts) for kind, counts in encoder.undefined.items()},
        "layers": [
            {
                "attention": _of_scores(scores),
                "head_auc": [_number(auc) for auc in heads],
                "attention_elsewhere": _of_estimate(elsewhere),
                "attention_on_itself": _of_estimate(on_itself),
            }
            for scores, heads, elsewhere, on_itself in zip(
                encoder.layers, encoder.head_auc.tolist(), encoder.elsewhere, encoder.on_itself, strict=True
            )
        ],
    }


def _of_scores(scores: Scores) -> dict[str, Mapping[str, float | None]]:
    return {name: _of_estimate(estimate) for name, estimate in scores.items()}


def _of_estimate(estimate: Estimate) -> dict[str, float | None]:
    return {name: _number(value) for name, value in estimate._asdict().items()}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
