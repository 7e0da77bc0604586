"""What is compared: encoders that are pre-trained in different ways, or not at all."""

from dataclasses import dataclass, field
from typing import Literal

from rmae.reproduction.flags import Flags

Source = Literal["fh", "fh_fine", "fh_coarse", "instances", "panoptic", "grid", "random"]
"""Where regions come from: three Felzenszwalb-Huttenlocher scales together, the finest or the coarsest of them alone,
annotated objects, annotated objects and their ground, rectangles, or blobs with the areas of `fh` at random places."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """An encoder of a table. Those of one name are the same in all tables, and are trained once."""

    name: str
    """Names its folders and its row in the results."""
    label: str
    """What people call it."""
    task: Literal["mae", "rae", "rmae"] | None
    """What it is pre-trained for; None = not at all, its weights are random."""
    flags: Flags = field(default_factory=dict)
    """What it does otherwise than its preset and budget."""
    source: Source | None = "fh"
    """Its regions; None where the task has none."""
    length: float = 1.0
    """Share of the budget's epochs."""
    control: Literal["parameters", "time"] | None = None
    """An MAE with as many parameters as the R-MAE has, in a wider or deeper pixel decoder, or one that is trained for
    longer by as much as an R-MAE's step takes more multiply-accumulates."""

    @property
    def has_region_branch(self) -> bool:
        """Whether it completes regions, and so can be asked to segment interactively."""
        return self.task in ("rae", "rmae")


SCRATCH = Arm(name="scratch", label="from scratch", task=None, source=None)
MAE = Arm(name="mae", label="MAE", task="mae", source=None)
RAE = Arm(name="rae", label="RAE", task="rae")
RMAE = Arm(name="rmae", label="R-MAE", task="rmae")


def rmae_with(name: str, label: str, **flags: str | float | int) -> Arm:
    """An R-MAE that differs in some knobs.

    Args:
        name: What to add to its name.
        label: What to add to its label.
        flags: The knobs.
    """
    return Arm(name=f"rmae_{name}", label=f"R-MAE, {label}", task="rmae", flags=flags)


def with_source(task: Literal["rae", "rmae"], source: Source, label: str) -> Arm:
    """An RAE or R-MAE with other regions.

    Args:
        task: Which of them.
        source: The regions.
        label: What people call those.
    """
    base = RAE if task == "rae" else RMAE
    return Arm(name=f"{task}_{source}", label=f"{base.label}, {label}", task=task, source=source)


def for_part_of_the_time(arm: Arm, length: float, name: str) -> Arm:
    """The same, pre-trained for a share of the budget's epochs.

    Args:
        arm: MAE or R-MAE.
        length: The share, above 0.
        name: It in a word.
    """
    return Arm(
        name=f"{arm.name}_{name}",
        label=f"{arm.label}, {length:.3g} of the epochs",
        task=arm.task,
        source=arm.source,
        length=length,
    )
