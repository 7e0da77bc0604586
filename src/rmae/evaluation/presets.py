"""Every task in two sizes: the paper's, and one for two CPU cores."""

from typing import Literal, overload

from rmae.config.classification import FinetuneConfig, KnnConfig, LinearConfig
from rmae.config.detection import DetectConfig
from rmae.config.interactive import InteractiveConfig
from rmae.config.localisation import LocaliseConfig
from rmae.config.segmentation import SegmentConfig
from rmae.evaluation.classification import presets as classification
from rmae.evaluation.detection import presets as detection
from rmae.evaluation.interactive import presets as interactive
from rmae.evaluation.localisation import presets as localisation
from rmae.evaluation.segmentation import presets as segmentation

Task = Literal["knn", "linear", "finetune", "segment", "detect", "localise", "interactive"]
"""What an encoder can be put to."""
Size = Literal["small", "paper"]
"""How much of it: a few minutes on two CPU cores, or the paper's recipe, for GPUs."""
EncoderTaskConfig = KnnConfig | LinearConfig | FinetuneConfig | SegmentConfig | DetectConfig | LocaliseConfig
"""Tasks that look at an encoder alone."""
TaskConfig = EncoderTaskConfig | InteractiveConfig
"""What to put an encoder to: the class says the task, its fields how."""

_PRESETS = {
    ("knn", "small"): classification.small_knn,
    ("knn", "paper"): classification.paper_knn,
    ("linear", "small"): classification.small_linear,
    ("linear", "paper"): classification.paper_linear,
    ("finetune", "small"): classification.small_finetune,
    ("finetune", "paper"): classification.paper_finetune,
    ("segment", "small"): segmentation.small,
    ("segment", "paper"): segmentation.paper,
    ("detect", "small"): detection.small,
    ("detect", "paper"): detection.paper,
    ("localise", "small"): localisation.small,
    ("localise", "paper"): localisation.paper,
    ("interactive", "small"): interactive.small,
    ("interactive", "paper"): interactive.paper,
}


@overload
def evaluation_preset(task: Literal["knn"], size: Size) -> KnnConfig: ...
@overload
def evaluation_preset(task: Literal["linear"], size: Size) -> LinearConfig: ...
@overload
def evaluation_preset(task: Literal["finetune"], size: Size) -> FinetuneConfig: ...
@overload
def evaluation_preset(task: Literal["segment"], size: Size) -> SegmentConfig: ...
@overload
def evaluation_preset(task: Literal["detect"], size: Size) -> DetectConfig: ...
@overload
def evaluation_preset(task: Literal["localise"], size: Size) -> LocaliseConfig: ...
@overload
def evaluation_preset(task: Literal["interactive"], size: Size) -> InteractiveConfig: ...
@overload
def evaluation_preset(task: Task, size: Size) -> TaskConfig: ...
def evaluation_preset(task: Task, size: Size) -> TaskConfig:
    """Return the settings of a downstream task; change them with `dataclasses.replace`.

    Args:
        task: knn, linear, finetune, segment, detect, localise or interactive.
        size: small = for two CPU cores and minutes, paper = the paper's recipe.

    Raises:
        ValueError: There is no such task or size.

    Example:
        >>> evaluation_preset("segment", "paper").optimizer.num_updates(20_210)
        160000
    """
    if (task, size) not in _PRESETS:
        tasks, sizes = (", ".join(dict.fromkeys(names)) for names in zip(*_PRESETS, strict=True))
        raise ValueError(
            f"there is no preset for the task {task!r} and the size {size!r}; there are {tasks}, each {sizes}"
        )
    return _PRESETS[task, size]()
