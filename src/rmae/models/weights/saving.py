"""A model as a folder of ours, here or on the hub: all of its parts, its settings and its card."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rmae.models.interchange.settings import settings_of
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.models.model_card import render_card
from rmae.models.weights.folder import SCALARS, TENSORS, refuse_other_contents, write_folder
from rmae.models.weights.loading import MODEL
from rmae.models.weights.records import read_results, read_run_record

CARD = "README.md"


def save_model(
    model: MaskedAutoencoder,
    folder: Path,
    *,
    run: str | Path | None = None,
    results: Sequence[str | Path] = (),
    name: str | None = None,
) -> None:
    """Write a model; see `MaskedAutoencoder.save_pretrained`. The card says how to load it by `name`, or else here."""
    folder = folder.resolve()
    refuse_other_contents(folder, {TENSORS, SCALARS, CARD}, what="a model")
    card = render_card(
        model,
        name=name,
        run=None if run is None else read_run_record(Path(run)),
        results=[read_results(Path(file)) for file in results],
    )
    tensors = {MODEL + part: tensor for part, tensor in model.state_dict().items()}
    write_folder(folder, tensors, {"format": "model", **settings_of(model)}, texts={CARD: card})


def upload_model(
    model: MaskedAutoencoder, name: str, *, run: str | Path | None = None, results: Sequence[str | Path] = ()
) -> None:
    """Upload a model; see `MaskedAutoencoder.push_to_hub`."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # pyright: ignore[reportPrivateImportUsage]  # of its HTTP library
    from huggingface_hub.utils import validate_repo_id

    validate_repo_id(name)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "model"
        save_model(model, folder, run=run, results=results, name=name)
        try:
            HfApi().create_repo(name, exist_ok=True)
            HfApi().upload_folder(repo_id=name, folder_path=folder)
        except (HTTPError, OSError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{name} cannot be uploaded to the hub: {reason}") from error
