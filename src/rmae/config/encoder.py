"""The encoder that is put to the test."""

from dataclasses import dataclass
from typing import Literal

from rmae.config.checks import check_values, require


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The encoder that is put to the test, and how it is trained further."""

    img_size: int | tuple[int, int] = 224
    """Side, or height and width, of the pictures in pixels; divisible by the encoder's patch size."""
    drop_path: float = 0.1
    """Largest probability of leaving out a block for a sample, in [0, 1); it rises linearly with depth."""
    layer_decay: float = 0.65
    """Factor on the learning rate from one layer to the one below, in (0, 1]; the head has the full rate."""
    scratch_size: Literal["micro", "tiny", "small", "base", "large", "huge"] = "base"
    """Size of the encoder `scratch`, sized as in rmae pretrain."""
    scratch_patch_size: int = 16
    """Side of a patch of the encoder `scratch` in pixels."""

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height and width of the pictures in pixels."""
        return (self.img_size, self.img_size) if isinstance(self.img_size, int) else self.img_size

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self)
        size = self.img_size
        require(isinstance(size, int) or len(size) == 2, f"img_size is {size}; give one side, or height and width")
        require(min(self.image_hw) >= 1, f"img_size is {size}; every side must be at least 1 pixel")
        require(0 <= self.drop_path < 1, f"drop_path is {self.drop_path}; it is a probability in [0, 1)")
        require(0 < self.layer_decay <= 1, f"layer_decay is {self.layer_decay}; it is a factor in (0, 1]")
        patch_size = self.scratch_patch_size
        require(patch_size >= 1, f"scratch_patch_size is {patch_size}; it must be at least 1")
