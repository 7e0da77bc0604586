import copy

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch.nn import functional

from rmae.evaluation.segmentation.labels import IGNORED
from rmae.evaluation.segmentation.network import build_network
from rmae.evaluation.segmentation.step import SegmentStep, pixel_loss


def step(dropout: float = 0.0) -> SegmentStep:
    encoder = VisionTransformer(img_size=16, patch_size=4, embed_dim=16, depth=4, num_heads=2, num_classes=0)
    model = build_network(
        encoder,
        num_classes=3,
        head_channels=8,
        auxiliary_channels=8,
        dropout=dropout,
        generator=torch.Generator().manual_seed(0),
    )
    return SegmentStep(model, auxiliary_weight=0.4, pixel_mean=(0.5, 0.4, 0.3), pixel_std=(0.2, 0.25, 0.5))


def batch(num: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (num, 3, 16, 16), generator=generator, dtype=torch.uint8)
    return images, torch.randint(-1, 3, (num, 16, 16), generator=generator, dtype=torch.int16)


def test_pictures_are_normalised_by_the_encoders_statistics():
    pixels = torch.tensor([255, 102, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    expected = torch.tensor([2.5, 0.0, -0.6]).view(1, 3, 1, 1)
    torch.testing.assert_close(step().normalise(pixels), expected)


def test_the_total_weighs_the_auxiliary_head():
    losses = step()(*batch())
    torch.testing.assert_close(losses.total, losses.head + 0.4 * losses.auxiliary)
    assert losses.head != losses.auxiliary


def test_ignored_pixels_count_as_zero_in_a_mean_over_all():
    logits = torch.tensor([[[[2.0, 0.0]], [[0.0, 1.0]]]])  # (1, 2, 1, 2)
    both = torch.tensor([[[0, 0]]])
    losses = functional.cross_entropy(logits, both, reduction="none")
    torch.testing.assert_close(pixel_loss(logits, both), losses.mean())
    torch.testing.assert_close(pixel_loss(logits, torch.tensor([[[0, IGNORED]]])), losses[0, 0, 0] / 2)


def test_a_picture_that_is_wholly_ignored_gives_zero_and_no_gradient():
    module = step()
    images, labels = batch()
    losses = module(images, torch.full_like(labels, IGNORED))
    losses.total.backward()
    assert [loss.item() for loss in losses] == [0, 0, 0]
    assert all((parameter.grad == 0).all() for parameter in module.parameters() if parameter.grad is not None)


def test_a_step_may_be_split():
    """But for batch statistics, which evaluation mode leaves out; in float64 the order of summation does not show."""
    module = step().double().eval()
    images, labels = batch(4)
    whole = module(images, labels).total
    parts = [module(images[i : i + 2], labels[i : i + 2]).total for i in (0, 2)]
    assert whole.item() == pytest.approx((parts[0] + parts[1]).item() / 2, rel=1e-12)


def test_losses_are_float32_with_bfloat16():
    module = step()
    with torch.autocast("cpu", torch.bfloat16):
        losses = module(*batch())
    assert {loss.dtype for loss in losses} == {torch.float32}
    assert losses.total.item() == pytest.approx(module(*batch()).total.item(), rel=0.05)


@pytest.mark.slow
def test_it_compiles_as_one_graph():
    module = step()
    expected = copy.deepcopy(module)(*batch()).total
    torch._dynamo.reset()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*batch()).total, expected)
