import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rmae.config import DataConfig, ModelConfig, OptimizerConfig, PretrainConfig, RunConfig

# Tests run side by side, one on each core; threads of one would wait for those of another at every operation.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Of a shell that started the tests in the background, they and all that they start inherit that SIGINT is ignored.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_config() -> PretrainConfig:
    """An R-MAE that trains on a few small images within a second on a CPU."""
    return PretrainConfig(
        name="tiny",
        model=ModelConfig(
            img_size=32,
            patch_size=8,
            embed_dim=32,
            depth=1,
            num_heads=2,
            decoder_embed_dim=32,
            decoder_depth=1,
            decoder_num_heads=2,
            region_embed_dim=16,
            region_encoder_num_heads=2,
            region_decoder_num_heads=2,
            num_regions=3,
        ),
        data=DataConfig(num_workers=0),
        optimizer=OptimizerConfig(epochs=None, updates=4, batch_size=4, base_lr=0.05),
        run=RunConfig(accelerator="cpu", log_every=1, checkpoint_every=2),
    )


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """A folder of six small pictures, each of its own size and noise, one half of it brighter than the other."""
    return _write_photos(tmp_path / "photos")


@pytest.fixture(scope="session")
def lasting_photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `photo_folder`, for what is made once; not to be changed."""
    return _write_photos(tmp_path_factory.mktemp("lasting") / "photos")


def _write_photos(folder: Path) -> Path:
    folder.mkdir()
    for i in range(6):
        height, width = 48 + 4 * i, 80 - 4 * i
        noise = np.random.default_rng(i).integers(0, 64, (height, width, 3))
        noise[:, width // 2 :] += 128
        Image.fromarray(noise.astype(np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def limit_files() -> Callable[[int], AbstractContextManager[None]]:
    """Lets no file of this process grow beyond some bytes, while it is entered: writing fails as on a full disk."""

    @contextmanager
    def limit(num_bytes: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@pytest.fixture(scope="session")
def sam_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Segment Anything model of random weights; not to be changed."""
    import torch
    from transformers import SamConfig, SamImageProcessor, SamModel

    side = 64  # pixels that it sees on each side
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "mlp_dim": 16}
    grid = {"image_size": side, "patch_size": 8}
    neck = {"output_channels": 16, "num_pos_feats": 8}
    model = SamModel(
        SamConfig(
            vision_config=small | grid | neck | {"window_size": 4, "global_attn_indexes": [0]},
            prompt_encoder_config=grid | {"hidden_size": 16, "mask_input_channels": 4},
            mask_decoder_config=small | {"iou_head_depth": 2, "iou_head_hidden_dim": 16},
        )
    )
    weights = model.state_dict()
    generator = torch.Generator().manual_seed(2)
    for weight in weights.values():
        if weight.ndim > 1:
            weight.normal_(0, 0.4, generator=generator)
    # Logits are spread well beyond -1 and 1, so that some masks are stable and some are not, and lowered by about 6, so
    # that some masks are small and their boxes differ.
    weights["mask_decoder.upscale_conv2.bias"][0] = 1
    for i in range(4):
        weights[f"mask_decoder.output_hypernetworks_mlps.{i}.proj_out.weight"] *= 3
        weights[f"mask_decoder.output_hypernetworks_mlps.{i}.proj_out.bias"][0] = -6
    # The IoU predicted for the three masks of a point is about 0.9, 0.7 and 0.5.
    weights["mask_decoder.iou_prediction_head.proj_out.weight"] *= 0.05
    weights["mask_decoder.iou_prediction_head.proj_out.bias"].copy_(torch.tensor([0, 0.9, 0.7, 0.5]))
    folder = tmp_path_factory.mktemp("sam")
    model.save_pretrained(folder)
    SamImageProcessor(size={"longest_edge": side}, pad_size={"height": side, "width": side}).save_pretrained(folder)
    return folder
