"""What is trained on top of an encoder, and with it."""

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from rmae.evaluation.classification.features import Pooling, encode_pooled, keep_trunk
from rmae.training.ranks import Ranks

_PROBE_STD = 0.01
_FINETUNE_STD = 2e-5
_NORM_EPSILON = 1e-6


class FeatureNorm(nn.Module):
    """Batch normalisation without weights of its own, for features that are not trained.

    In training features are normalised by the mean and the variance of their batch, over all processes that share it;
    else by the running ones. What is not finite never reaches those.

    Args:
        width: D.
        ranks: The processes.

    Source:
        MAE's linear probe (arXiv 2111.06377, appendix); epsilon and momentum of its code.
    """

    running_mean: Tensor
    running_var: Tensor
    _MOMENTUM = 0.1  # share of the newest batch in the running statistics

    def __init__(self, width: int, *, ranks: Ranks) -> None:
        super().__init__()
        self._ranks = ranks
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    @torch.no_grad()
    def forward(self, features: Tensor) -> Tensor:
        """Normalise features, shape (B, D); as many on each process."""
        features = features.to(self.running_mean.dtype)  # statistics of bfloat16 would be coarse
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance = self._measure(features)
        return (features - mean) * torch.rsqrt(variance + _NORM_EPSILON)

    def _measure(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance over all processes; the running ones follow them."""
        own_variance, own_mean = torch.var_mean(features, dim=0, correction=0)
        mean = self._ranks.average_(own_mean.clone())
        variance = self._ranks.average_(own_variance + (own_mean - mean).square())
        number = len(features) * self._ranks.world_size
        unbiased = variance * (number / max(1, number - 1))
        for running, measured in ((self.running_mean, mean), (self.running_var, unbiased)):
            followed = running.lerp(measured, self._MOMENTUM)
            running.copy_(torch.where(followed.isfinite(), followed, running))
        return mean, variance


def build_probe(width: int, num_classes: int, *, ranks: Ranks, generator: torch.Generator) -> nn.Sequential:
    """Build what a linear probe trains: a linear layer behind a `FeatureNorm`.

    Args:
        width: D, of the features.
        num_classes: C.
        ranks: The processes that train it.
        generator: Where the random weights come from, on the CPU.

    Returns:
        From features (B, D) to logits (B, C).
    """
    return nn.Sequential(
        FeatureNorm(width, ranks=ranks), _linear(width, num_classes, std=_PROBE_STD, generator=generator)
    )


class Classifier(nn.Module):
    """An encoder that is trained together with a linear layer.

    Args:
        encoder: Changed in place: where the mean of its patches is taken, its last norm gives way to a new one behind
            the pooling.
        pooling: What stands for a picture.
        num_classes: C.
        generator: Where the random weights come from, on the CPU.

    Raises:
        ValueError: The class token is asked for, but the encoder has none.

    Source:
        MAE's fine-tuning (arXiv 2111.06377, appendix), with the initialisation of its code.
    """

    def __init__(
        self, encoder: VisionTransformer, *, pooling: Pooling, num_classes: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        averages = pooling == "average"
        self.encoder = keep_trunk(encoder, pooling, normed=not averages)
        width = encoder.embed_dim
        self.norm = nn.LayerNorm(width, eps=_NORM_EPSILON) if averages else nn.Identity()
        self.head = _linear(width, num_classes, std=_FINETUNE_STD, generator=generator)
        self._pooling: Pooling = pooling

    def forward(self, images: Tensor) -> Tensor:
        """Classify pictures, shape (B, 3, H, W) float, normalised; returns logits, shape (B, C)."""
        return self.head(self.norm(encode_pooled(self.encoder, images, self._pooling)))


def _linear(width: int, num_classes: int, *, std: float, generator: torch.Generator) -> nn.Linear:
    with torch.random.fork_rng(devices=[]):  # the layer draws weights of its own when it is made
        layer = nn.Linear(width, num_classes)
    nn.init.trunc_normal_(layer.weight, std=std, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
