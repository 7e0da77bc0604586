"""Every knob of pre-training and of evaluation, with units, ranges and checks. Free of torch."""

from rmae.config.classification import FinetuneConfig, KnnConfig, LinearConfig
from rmae.config.data import DataConfig
from rmae.config.detection import DetectConfig
from rmae.config.encoder import EncoderConfig
from rmae.config.interactive import InteractiveConfig
from rmae.config.localisation import LocaliseConfig
from rmae.config.loss import LossConfig
from rmae.config.model import ENCODER_SHAPES, EncoderShape, ModelConfig
from rmae.config.optimizer import OptimizerConfig
from rmae.config.pretrain import PretrainConfig
from rmae.config.reading import ReadingConfig
from rmae.config.run import RunConfig
from rmae.config.segmentation import SegmentConfig
from rmae.config.visualize import VisualizeConfig

__all__ = [
    "ENCODER_SHAPES",
    "DataConfig",
    "DetectConfig",
    "EncoderConfig",
    "EncoderShape",
    "FinetuneConfig",
    "InteractiveConfig",
    "KnnConfig",
    "LinearConfig",
    "LocaliseConfig",
    "LossConfig",
    "ModelConfig",
    "OptimizerConfig",
    "PretrainConfig",
    "ReadingConfig",
    "RunConfig",
    "SegmentConfig",
    "VisualizeConfig",
]
