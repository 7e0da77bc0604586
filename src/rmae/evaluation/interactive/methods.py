"""All that is clicked on in an evaluation."""

from typing import NamedTuple

from rmae.config.interactive import InteractiveConfig
from rmae.evaluation.interactive.felzenszwalb_method import FelzenszwalbMethod
from rmae.evaluation.interactive.grabcut import GrabCutMethod
from rmae.evaluation.interactive.method import Method
from rmae.evaluation.interactive.method_names import FELZENSZWALB, GRABCUT, MODEL, SAM
from rmae.evaluation.interactive.sam_method import SamMethod
from rmae.evaluation.interactive.segmenter_method import SegmenterMethod
from rmae.interactive.segmenter import Segmenter
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.models.resizing import resize
from rmae.models.weights import load
from rmae.training.ranks import Ranks

_CHANNELS = 3


class Methods(NamedTuple):
    """What objects are looked for with."""

    by_name: dict[str, Method]
    """The model under test first, then what is beside it, other models last."""
    missing: tuple[str, ...]
    """A sentence on each method that cannot be had here."""

    def models(self) -> dict[str, SegmenterMethod]:
        """Those that are models of ours."""
        return {name: method for name, method in self.by_name.items() if isinstance(method, SegmenterMethod)}


def open_methods(config: InteractiveConfig, model: MaskedAutoencoder, ranks: Ranks) -> Methods:
    """Open the methods of an evaluation; every process calls this alike.

    Args:
        config: Which ones, and their settings.
        model: What is put to the test; it is moved to the device of the process, and put into evaluation mode.
        ranks: The processes.

    Raises:
        ValueError: A model cannot answer clicks, or Segment Anything cannot be loaded. Without OpenCV GrabCut is left
            out.
    """
    methods: dict[str, Method] = {MODEL: _open_model(model, "the model", config, ranks)}
    missing = ()
    if config.felzenszwalb_scale is not None:
        methods[FELZENSZWALB] = FelzenszwalbMethod(scale=config.felzenszwalb_scale)
    if config.grabcut_side is not None:
        try:
            methods[GRABCUT] = GrabCutMethod(side=config.grabcut_side)
        except ValueError as error:
            missing = (str(error),)
    if config.sam is not None:
        methods[SAM] = SamMethod(config.sam, device=str(ranks.fabric.device))
    for source in config.against:
        methods[source] = _open_model(load(source), source, config, ranks)
    ranks.check_alike(", ".join(methods), "methods")
    return Methods(methods, missing)


def _open_model(model: MaskedAutoencoder, name: str, config: InteractiveConfig, ranks: Ranks) -> SegmenterMethod:
    if model.config.channels != _CHANNELS:
        raise ValueError(
            f"{name} takes pictures of {model.config.channels} channel(s); annotated pictures are read as RGB, so take "
            f"a model of {_CHANNELS}"
        )
    if config.img_size is not None:
        model = resize(model, img_size=config.img_size)  # here, for what comes of it is on the CPU
    segmenter = Segmenter(
        model.to(ranks.fabric.device), num_views=config.num_views, assume_background=config.assume_background
    )
    return SegmenterMethod(segmenter, ranks.fabric)
