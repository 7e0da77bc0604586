"""Named settings of the classification tasks: small ones for two CPU cores, and the papers'."""

from rmae.config.classification import FinetuneConfig, KnnConfig, LinearConfig
from rmae.config.encoder import EncoderConfig
from rmae.config.optimizer import OptimizerConfig
from rmae.config.run import RunConfig

# Pictures of the size that the pre-training preset demo has, for a micro encoder of 8 x 8 patches.
_SMALL_ENCODER = EncoderConfig(
    img_size=96, drop_path=0.0, layer_decay=0.75, scratch_size="micro", scratch_patch_size=12
)
_SMALL_RUN = RunConfig(log_every=20, checkpoint_every=100)
_ON_ACCELERATOR = RunConfig(precision="bf16", compile=True, log_every=20, checkpoint_every=1000)


def small_knn() -> KnnConfig:
    """Nearest neighbours in pictures of 96 pixels; seconds on two CPU cores."""
    return KnnConfig(encoder=_SMALL_ENCODER, eval_batch_size=64, run=_SMALL_RUN)


def paper_knn() -> KnnConfig:
    """20 and 200 neighbours at 224 pixels, temperature 0.07.

    Source:
        Caron et al., Emerging Properties in Self-Supervised Vision Transformers (2021), for the protocol.
    """
    return KnnConfig(run=RunConfig(precision="bf16"))


def small_linear() -> LinearConfig:
    """A linear probe by AdamW in pictures of 96 pixels; a minute or two on two CPU cores."""
    return LinearConfig(
        encoder=_SMALL_ENCODER,
        optimizer_name="adamw",
        crop_scale=(0.4, 1.0),
        eval_batch_size=64,
        optimizer=OptimizerConfig(
            epochs=None, updates=300, batch_size=64, base_lr=2e-2, warmup=0.05, weight_decay=0.0, betas=(0.9, 0.999)
        ),
        run=_SMALL_RUN,
    )


def paper_linear() -> LinearConfig:
    """MAE's linear probe of ImageNet: LARS, batches of 16,384, 90 epochs.

    Source:
        He et al., Masked Autoencoders Are Scalable Vision Learners (arXiv 2111.06377), appendix.
    """
    return LinearConfig(run=_ON_ACCELERATOR)


def small_finetune() -> FinetuneConfig:
    """Fine-tuning in pictures of 96 pixels, gently changed; a few minutes on two CPU cores."""
    return FinetuneConfig(
        encoder=_SMALL_ENCODER,
        crop_scale=(0.4, 1.0),
        augment_magnitude=0,
        erase=0.0,
        mixup=0.0,
        cutmix=0.0,
        eval_batch_size=64,
        optimizer=OptimizerConfig(
            epochs=None,
            updates=200,
            batch_size=64,
            base_lr=4e-3,
            warmup=0.1,
            weight_decay=0.05,
            betas=(0.9, 0.999),
            clip_grad=3.0,
        ),
        run=_SMALL_RUN,
    )


def paper_finetune() -> FinetuneConfig:
    """MAE's and R-MAE's fine-tuning of ViT-B on ImageNet: 100 epochs, but that the rate falls to 0, not to 1e-6.

    Source:
        He et al., Masked Autoencoders Are Scalable Vision Learners (arXiv 2111.06377), appendix.
    """
    return FinetuneConfig(run=_ON_ACCELERATOR)
