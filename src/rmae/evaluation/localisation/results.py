"""What came of an evaluation as JSON."""

from pathlib import Path
from typing import Any

from rmae.evaluation.folder import estimates_to_json, read_figures
from rmae.evaluation.localisation.summary import KINDS, EncoderSummary, Summary
from rmae.files import write_json

RESULTS = "localisation.json"
"""Name of the file with all that was measured, in the evaluation's folder."""
FORMAT_VERSION = 1
"""Version of the file."""


def write_results(summary: Summary, path: Path) -> None:
    """Write everything that was measured; NaN becomes null."""
    saved = {
        "format": "localisation",
        "version": FORMAT_VERSION,
        "objects": summary.num_objects,
        "pictures": summary.num_pictures,
        "left_out": dict(summary.left_out),
        "controls": {name: estimates_to_json(scores) for name, scores in summary.controls.items()},
        "encoders": [_of_encoder(encoder) for encoder in summary.encoders],
        "differences": [
            {"encoder": each.encoder, "kind": each.kind, "to": each.to, "scores": estimates_to_json(each.scores)}
            for each in summary.differences
        ],
    }
    write_json(path, saved)


def read_baselines(folder: Path) -> dict[str, dict[str, float]]:
    """Read what `write_results` left in an evaluation's folder of the controls, which know nothing of the encoder.

    Returns:
        By the control's name and the scores' names, `attention_auc` and so on, those that are defined; to be compared
        with the encoder's scores of the same names.

    Raises:
        ValueError: The file is missing, or is no such file.
    """
    return read_figures(folder / RESULTS, _baselines)


def _baselines(saved: Any) -> dict[str, dict[str, float]]:
    return {
        control: {
            f"{kind}_{name}": float(estimate["value"])
            for kind in KINDS
            for name, estimate in scores.items()
            if estimate["value"] is not None
        }
        for control, scores in saved["controls"].items()
    }


def _of_encoder(encoder: EncoderSummary) -> dict[str, Any]:
    return {
        "name": encoder.name,
        "layer": encoder.layer,
        **{kind: estimates_to_json(encoder.maps[kind]) for kind in KINDS},
        "undefined": {kind: dict(counts) for kind, counts in encoder.undefined.items()},
        "layers": [
            {
                "attention": estimates_to_json(scores),
                "head_auc": heads,
                "attention_elsewhere": elsewhere._asdict(),
                "attention_on_itself": on_itself._asdict(),
            }
            for scores, heads, elsewhere, on_itself in zip(
                encoder.layers, encoder.head_auc.tolist(), encoder.elsewhere, encoder.on_itself, strict=True
            )
        ],
    }
