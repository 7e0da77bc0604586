"""Every knob of a pre-training run, with units, ranges and checks. Free of torch."""

from rmae.config.data import DataConfig
from rmae.config.loss import LossConfig
from rmae.config.model import ENCODER_SHAPES, EncoderShape, ModelConfig
from rmae.config.optimizer import OptimizerConfig
from rmae.config.pretrain import PretrainConfig
from rmae.config.run import RunConfig

__all__ = [
    "ENCODER_SHAPES",
    "DataConfig",
    "EncoderShape",
    "LossConfig",
    "ModelConfig",
    "OptimizerConfig",
    "PretrainConfig",
    "RunConfig",
]
