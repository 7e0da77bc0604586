"""How much of it: on two CPU cores, on one GPU, or as in the paper."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

from rmae.evaluation.presets import Task
from rmae.reproduction.arms import Source
from rmae.reproduction.flags import Flags

BudgetName = Literal["tiny", "small", "paper"]
"""What budgets are called."""


@dataclass(frozen=True, kw_only=True)
class SceneNumbers:
    """Numbers and size of the scenes that stand in for the paper's data."""

    side: int
    """Height and width in pixels."""
    train: int
    """Scenes to pre-train on."""
    labelled: int
    """The first of them, whose annotations segmentation and detection learn from."""
    val: int
    """Scenes to validate on."""
    classified: int
    """Pictures of one object to classify by."""
    classified_val: int
    """Pictures of one object to validate on."""


@dataclass(frozen=True, kw_only=True)
class Datasets:
    """Folders of the data sets, relative to the workspace."""

    images: str
    """What is pre-trained on, without its annotations."""
    annotated: str
    """Objects in COCO's layout: to detect, to localise, to segment interactively."""
    segmented: str
    """Pixels by class."""
    classes: str
    """Pictures by class, in ImageNet's layout."""

    def of(self, task: Task) -> str:
        """What a task is done on."""
        match task:
            case "segment":
                return self.segmented
            case "detect" | "localise" | "interactive":
                return self.annotated
            case "knn" | "linear" | "finetune":
                return self.classes
            case _:
                assert_never(task)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A machine and a time, and what fits into them."""

    words: str
    """For whom it is, in a sentence."""
    data: Datasets
    """What is trained and evaluated on."""
    scenes: SceneNumbers | None
    """The scenes to make; None = data sets that the user has."""
    epochs: float
    """Passes over the images in pre-training."""
    pretrain: Flags
    """Of every pre-training, over those of the paper's preset."""
    wider_decoder: Flags
    """What gives an MAE as many parameters as an R-MAE has."""
    mae_time: float
    """Multiply-accumulates of an R-MAE's training step over those of an MAE's."""
    sources: Mapping[Source, str]
    """How each source of regions is called on the command line; `{annotations}` stands for their folder."""
    regions: Flags
    """Of the making of regions."""
    tasks: Mapping[Task, Flags]
    """Of every evaluation, over those of its preset."""
    left_out: tuple[Task, ...] = ()
    """Tasks that are done only if they are asked for."""

    @property
    def is_for_cpus(self) -> bool:
        """Whether nothing is run on a GPU, even if there is one."""
        return self.pretrain.get("accelerator") == "cpu"


_TRUTH: Mapping[Source, str] = {
    "instances": "coco-instances --annotations {annotations}/instances_train2017.json",
    "panoptic": "coco-panoptic --annotations {annotations}/panoptic_train2017.json",
    "grid": "grid --rows 4 --columns 4",
    "random": "random-masks --store regions/fh.regions",
}


def _felzenszwalb(fine: int, middle: int, coarse: int) -> Mapping[Source, str]:
    """Three scales, and two of them alone."""
    return {
        "fh": f"felzenszwalb --scales {fine} {middle} {coarse}",
        "fh_fine": f"felzenszwalb --scales {fine}",
        "fh_coarse": f"felzenszwalb --scales {coarse}",
    }


_SCENE_SETS = Datasets(images="scenes", annotated="labelled", segmented="labelled", classes="classes")

# A process a piece and a thread a process: two cores do two pieces at a time, and how many there are does not show.
_ONE_THREAD: Flags = {"num_workers": 0, "num_threads": 1, "accelerator": "cpu"}
_TINY_ENCODER: Flags = {"img_size": 96, "scratch_size": "micro", "scratch_patch_size": 12}

_TINY = Budget(
    words="Scenes of 96 pixels and an encoder of a million parameters, for two CPU cores.",
    data=_SCENE_SETS,
    scenes=SceneNumbers(side=96, train=4000, labelled=300, val=200, classified=1200, classified_val=300),
    epochs=14,
    pretrain={
        "size": "micro",
        "img_size": 96,
        "patch_size": 12,
        "decoder_embed_dim": 96,
        "decoder_depth": 2,
        "decoder_num_heads": 4,
        "region_embed_dim": 64,
        "batch_size": 32,
        "base_lr": 4e-3,
        "precision": "float32",
        "compile": False,
        "log_every": 100,
        "checkpoint_every": 250,
        **_ONE_THREAD,
    },
    wider_decoder={"decoder_embed_dim": 124},
    mae_time=1.5,
    sources={**_felzenszwalb(200, 400, 800), **_TRUTH},  # a patch has 144 pixels, and smaller regions teach little
    regions={"num_workers": 0},
    tasks={
        "segment": {"updates": 400, "batch_size": 16, "checkpoint_every": 100, **_TINY_ENCODER, **_ONE_THREAD},
        "detect": {
            "updates": 400,
            "pyramid_scales": (2.0, 1.0, 0.5),
            "checkpoint_every": 100,
            **_TINY_ENCODER,
            **_ONE_THREAD,
        },
        "knn": {**_TINY_ENCODER, **_ONE_THREAD},
        "linear": {**_TINY_ENCODER, **_ONE_THREAD},
        "localise": {**_TINY_ENCODER, **_ONE_THREAD},
        "interactive": {"max_objects": 200, **_ONE_THREAD},
    },
    left_out=("detect", "linear"),
)

_SMALL_ENCODER: Flags = {"img_size": 160, "scratch_size": "tiny", "scratch_patch_size": 16}
_ON_GPU: Flags = {"num_threads": 1, "num_workers": 6}

_SMALL = Budget(
    words="Scenes of 160 pixels and ViT-Ti, for one GPU.",
    data=_SCENE_SETS,
    scenes=SceneNumbers(side=160, train=20_000, labelled=1000, val=500, classified=6000, classified_val=1000),
    epochs=60,
    pretrain={
        "size": "tiny",
        "img_size": 160,
        "patch_size": 16,
        "decoder_embed_dim": 192,
        "decoder_depth": 4,
        "decoder_num_heads": 4,
        "region_embed_dim": 96,
        "batch_size": 256,
        "base_lr": 1e-3,
        "log_every": 100,
        "checkpoint_every": 500,
        **_ON_GPU,
    },
    wider_decoder={"decoder_embed_dim": 208},
    mae_time=1.17,
    sources={**_felzenszwalb(100, 200, 400), **_TRUTH},
    regions={},
    tasks={
        "segment": {
            "updates": 2000,
            "batch_size": 32,
            "base_lr": 8e-3,
            "head_channels": 96,
            "auxiliary_channels": 64,
            "precision": "bf16",
            **_SMALL_ENCODER,
            **_ON_GPU,
        },
        "detect": {
            "updates": 3000,
            "batch_size": 16,
            "base_lr": 1.6e-2,
            "pyramid_scales": (4.0, 2.0, 1.0, 0.5),
            "precision": "bf16",
            **_SMALL_ENCODER,
            **_ON_GPU,
        },
        "knn": {**_SMALL_ENCODER, **_ON_GPU},
        "linear": {"updates": 2000, "batch_size": 256, "base_lr": 5e-3, **_SMALL_ENCODER, **_ON_GPU},
        "localise": {**_SMALL_ENCODER, **_ON_GPU},
        "interactive": {"max_objects": 500, **_ON_GPU},
    },
)

_PAPER_SIZE: Flags = {"size": "paper"}

_PAPER = Budget(
    words="COCO, ImageNet and ADE20K with ViT-B, as in the paper: commands for GPUs, which are printed and not run.",
    data=Datasets(images="coco", annotated="coco", segmented="ade20k", classes="imagenet"),
    scenes=None,
    epochs=4000,
    pretrain={"devices": 8},
    wider_decoder={"decoder_embed_dim": 520, "decoder_num_heads": 20},
    mae_time=1.02,
    sources={**_felzenszwalb(500, 1000, 1500), **_TRUTH},
    regions={},
    tasks={
        "segment": {**_PAPER_SIZE, "devices": 8},
        "detect": {**_PAPER_SIZE, "devices": 8},
        "knn": _PAPER_SIZE,
        "linear": {**_PAPER_SIZE, "devices": 8},
        "localise": _PAPER_SIZE,
        "interactive": _PAPER_SIZE,
    },
)

BUDGETS: Mapping[BudgetName, Budget] = {"tiny": _TINY, "small": _SMALL, "paper": _PAPER}
"""All of them, by name."""
