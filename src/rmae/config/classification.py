"""Image classification: k nearest neighbours, a linear probe, and fine-tuning."""

from dataclasses import dataclass, field
from typing import Literal

from rmae.config.checks import check_values, require
from rmae.config.encoder import EncoderConfig
from rmae.config.optimizer import OptimizerConfig
from rmae.config.reading import ReadingConfig
from rmae.config.run import RunConfig


@dataclass(frozen=True, kw_only=True)
class KnnConfig:
    """Classify by the nearest training pictures in the frozen encoder's features; nothing is trained."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    pooling: Literal["token", "average"] = "token"
    """What stands for a picture: token = the class token, average = the mean of the patches; after the final norm."""
    num_neighbors: tuple[int, ...] = (20, 200)
    """Numbers of neighbours that vote, each at least 1, and each scored by itself; the first is the headline."""
    temperature: float = 0.07
    """A neighbour's vote weighs exp(cosine similarity / temperature), > 0; the lower, the more the nearest count."""
    eval_batch_size: int = 128
    """Pictures that go through the encoder at once on each device."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        numbers = self.num_neighbors
        require(
            len(numbers) > 0 and all(number >= 1 for number in numbers),
            f"num_neighbors is {numbers}; give one number or more, each at least 1",
        )
        require(self.temperature > 0, f"temperature is {self.temperature}; it must be above 0")
        _check_eval(self.eval_batch_size, None)


@dataclass(frozen=True, kw_only=True)
class LinearConfig:
    """Train one linear layer on the frozen encoder's features, as MAE does."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    pooling: Literal["token", "average"] = "token"
    """What stands for a picture: token = the class token, average = the mean of the patches; after the final norm."""
    optimizer_name: Literal["lars", "adamw"] = "lars"
    """lars = made for very large batches, with base_lr about 0.1; adamw = for small data, with base_lr about 1e-2."""
    momentum: float = 0.9
    """Of lars, in [0, 1); adamw has betas instead."""
    crop_scale: tuple[float, float] = (0.08, 1.0)
    """Smallest and largest share of the picture's area that a training crop covers, in (0, 1]."""
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Smallest and largest width over height of a training crop, before it is resized to img_size."""
    flip: float = 0.5
    """Probability in [0, 1] of mirroring a training crop left to right."""
    eval_batch_size: int = 128
    """Pictures of the validation part that go through the model at once on each device."""
    evaluate_every: int | None = None
    """Updates between two evaluations while training; None = at the end alone."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(
            epochs=90, batch_size=16_384, base_lr=0.1, warmup=10 / 90, weight_decay=0.0
        )
    )
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        require(0 <= self.momentum < 1, f"momentum is {self.momentum}; it must lie in [0, 1)")
        _check_crops(self.crop_scale, self.crop_ratio, self.flip)
        _check_eval(self.eval_batch_size, self.evaluate_every)


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig:
    """Train the whole encoder and a linear layer on it, as MAE does."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    pooling: Literal["token", "average"] = "average"
    """What the last layer sees: average = the mean of the patches, under a norm of its own; token = the class token."""
    crop_scale: tuple[float, float] = (0.08, 1.0)
    """Smallest and largest share of the picture's area that a training crop covers, in (0, 1]."""
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Smallest and largest width over height of a training crop, before it is resized to img_size."""
    flip: float = 0.5
    """Probability in [0, 1] of mirroring a training crop left to right."""
    augment_magnitude: int = 9
    """Strength of RandAugment's changes of colour and shape, 0 to 10; 0 = none. It needs pictures in RGB."""
    augment_std: float = 0.5
    """Standard deviation of that strength from picture to picture, >= 0."""
    erase: float = 0.25
    """Probability in [0, 1] of filling a rectangle of the picture with noise."""
    mixup: float = 0.8
    """How evenly two pictures are blended: alpha of a beta distribution, >= 0; 0 = never."""
    cutmix: float = 1.0
    """How large a rectangle of another picture is put in: alpha of a beta distribution, >= 0; 0 = never.
    Where mixup is above 0 too, each batch has one of them, at even odds."""
    label_smoothing: float = 0.1
    """Share of the target that is spread over all classes, in [0, 1)."""
    eval_batch_size: int = 128
    """Pictures of the validation part that go through the model at once on each device."""
    evaluate_every: int | None = None
    """Updates between two evaluations while training; None = at the end alone."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(
            epochs=100, batch_size=1024, base_lr=5e-4, warmup=0.05, weight_decay=0.05, betas=(0.9, 0.999)
        )
    )
    run: RunConfig = field(default_factory=RunConfig)

    @property
    def mixes(self) -> bool:
        """Whether pictures of a batch are blended, two and two."""
        return self.mixup > 0 or self.cutmix > 0

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        _check_crops(self.crop_scale, self.crop_ratio, self.flip)
        magnitude = self.augment_magnitude
        require(0 <= magnitude <= 10, f"augment_magnitude is {magnitude}; it must lie in 0 to 10")
        for name in ("augment_std", "mixup", "cutmix"):
            value = getattr(self, name)
            require(value >= 0, f"{name} is {value}; it must be at least 0")
        require(0 <= self.erase <= 1, f"erase is {self.erase}; it is a probability in [0, 1]")
        smoothing = self.label_smoothing
        require(0 <= smoothing < 1, f"label_smoothing is {smoothing}; it is a share in [0, 1)")
        _check_eval(self.eval_batch_size, self.evaluate_every)
        check_even(self)


def check_even(config: FinetuneConfig, num_processes: int = 1) -> None:
    """Raise a ValueError where pictures are blended two and two, but an odd number of them meets in a step.

    Args:
        config: The run.
        num_processes: Processes that share a batch.
    """
    step = config.optimizer.batch_size / (config.optimizer.accumulate * num_processes)
    among = "" if num_processes == 1 else f" on {num_processes} processes"
    require(
        not config.mixes or step % 2 == 0,
        f"batch_size {config.optimizer.batch_size} in accumulate {config.optimizer.accumulate} step(s){among} gives "
        f"{step:g} pictures a step, which cannot be blended two and two; choose another batch_size, or mixup 0 and "
        "cutmix 0",
    )


def _check_crops(crop_scale: tuple[float, float], crop_ratio: tuple[float, float], flip: float) -> None:
    for name, (low, high) in (("crop_scale", crop_scale), ("crop_ratio", crop_ratio)):
        require(0 < low <= high, f"{name} is {low} to {high}; it must run from above 0 to no less")
    require(crop_scale[1] <= 1, f"crop_scale ends at {crop_scale[1]}; a crop covers at most 1 of the picture")
    require(0 <= flip <= 1, f"flip is {flip}; it is a probability in [0, 1]")


def _check_eval(eval_batch_size: int, evaluate_every: int | None) -> None:
    require(eval_batch_size >= 1, f"eval_batch_size is {eval_batch_size}; it must be at least 1")
    require(
        evaluate_every is None or evaluate_every >= 1,
        f"evaluate_every is {evaluate_every}; it must be at least 1, or None",
    )
