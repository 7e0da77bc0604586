import math

import pytest
import torch

from rmae import PretrainOutput, pretrain_losses
from rmae.models.losses import patch_statistics

LN2 = math.log(2)


def region_output(logits, hidden=None):
    """An output of region logits alone, for all patches in raster order."""
    batch_size, _, num_patches, _ = logits.shape
    ids = torch.arange(num_patches).expand(batch_size, -1)
    hidden = torch.ones_like(ids, dtype=torch.bool) if hidden is None else hidden
    return PretrainOutput(None, logits, ids, ids, hidden, hidden)


def pixel_output(prediction, hidden):
    batch_size, num_patches, _ = prediction.shape
    ids = torch.arange(num_patches).expand(batch_size, -1)
    return PretrainOutput(prediction, None, ids, ids, hidden, hidden)


def test_pixel_loss_is_the_squared_error_on_hidden_patches_alone():
    images = torch.zeros(1, 1, 2, 4)  # two patches of 2 x 2
    prediction = torch.tensor([[[1.0, 1, 1, 1], [0, 0, 0, 2]]])
    hidden = torch.tensor([[False, True]])

    losses = pretrain_losses(pixel_output(prediction, hidden), images, None, normalize_pixels=False)

    assert losses.pixel == 1  # (0 + 0 + 0 + 4) / 4
    assert losses.region == 0
    assert losses.total == 1


def test_patches_are_normalised_by_their_unbiased_variance():
    mean, deviation = patch_statistics(torch.tensor([[1.0, 2, 3, 4], [7, 7, 7, 7]], dtype=torch.float64))
    assert mean.flatten().tolist() == [2.5, 7]
    assert deviation[0].item() == pytest.approx((5 / 3 + 1e-6) ** 0.5, rel=1e-12)
    assert deviation[1].item() == pytest.approx(1e-3, rel=1e-9)


def test_region_loss_of_an_undecided_model_is_ln_2():
    regions = torch.rand(2, 3, 4, 4) < 0.5
    losses = pretrain_losses(region_output(torch.zeros(2, 3, 4, 4)), torch.zeros(2, 3, 4, 4), regions)
    assert losses.region.item() == pytest.approx(LN2)
    assert losses.pixel == 0


def test_region_loss_is_the_mean_over_pixels_regions_and_hidden_patches_of_the_batch():
    logits = torch.zeros(2, 1, 2, 4)
    logits[0, 0, 1] = 100  # certain, and wrong in all four pixels: a loss of 100 each
    regions = torch.zeros(2, 1, 2, 4, dtype=torch.bool)
    hidden = torch.tensor([[False, True], [True, True]])

    losses = pretrain_losses(region_output(logits, hidden), torch.zeros(2, 3, 2, 4), regions)

    assert losses.region.item() == pytest.approx((100 + LN2 + LN2) / 3)


def test_background_weight_divides_by_pixels_not_by_weights():
    logits = torch.zeros(1, 1, 1, 4)
    regions = torch.tensor([[[[True, False], [False, False]]]])
    losses = pretrain_losses(region_output(logits), torch.zeros(1, 3, 2, 2), regions, background_weight=0.5)
    assert losses.region.item() == pytest.approx((1 + 3 * 0.5) * LN2 / 4)


def test_l2_is_the_squared_error_of_the_probability():
    logits = torch.zeros(1, 1, 1, 4)
    regions = torch.tensor([[[[True, False], [False, False]]]])
    losses = pretrain_losses(region_output(logits), torch.zeros(1, 3, 2, 2), regions, region_loss="l2")
    assert losses.region.item() == pytest.approx(0.25)


def test_balanced_areas_count_alike_inside_and_outside():
    """Outside, an undecided model loses ln 2; inside it is certain and wrong, a loss of 10."""
    regions = torch.zeros(1, 2, 4, 4, dtype=torch.bool)  # four patches of 2 x 2, the last of them visible
    regions[0, 0, 0, 0] = True  # 1 of the 12 hidden pixels
    regions[0, 1, 0] = True  # 4 of them
    regions[0, :, 2:, 2:] = True  # what is visible does not count
    logits = torch.zeros(1, 2, 4, 4)
    logits[0, 0, 0, 0] = -10
    logits[0, 1, :2, :2] = -10
    hidden = torch.tensor([[True, True, True, False]])
    images = torch.zeros(1, 3, 4, 4)

    def region_loss(**options):
        return pretrain_losses(region_output(logits, hidden), images, regions, **options).region.item()

    wrong = 10 + math.log1p(math.exp(-10))
    assert region_loss() == pytest.approx((((wrong + 11 * LN2) + (4 * wrong + 8 * LN2)) / 12) / 2)
    assert region_loss(balance_area=True) == pytest.approx((wrong + LN2) / 2)
    assert region_loss(balance_area=True, background_weight=0.5) == pytest.approx((wrong + 0.5 * LN2) / 2)


@pytest.mark.parametrize("whole", [False, True])
def test_regions_of_one_side_are_averaged_as_they_are(whole):
    regions = torch.full((1, 1, 2, 2), whole)
    logits = torch.randn(1, 1, 1, 4, generator=torch.Generator().manual_seed(0))
    plain, balanced = (
        pretrain_losses(region_output(logits), torch.zeros(1, 3, 2, 2), regions, balance_area=choice).region
        for choice in (False, True)
    )
    assert balanced == plain


def test_the_total_is_weighted(make_case):
    case = make_case()
    output = case.run()
    losses = pretrain_losses(output, case.images, case.regions, pixel_weight=2, region_weight=0.5)
    torch.testing.assert_close(losses.total, 2 * losses.pixel + 0.5 * losses.region)


def test_losses_are_float32_whatever_the_predictions_are():
    losses = pretrain_losses(region_output(torch.zeros(1, 1, 1, 4, dtype=torch.bfloat16)), *_one_patch())
    assert losses.region.dtype == torch.float32
    assert losses.total.dtype == torch.float32


def test_region_predictions_need_regions():
    images, _ = _one_patch()
    with pytest.raises(ValueError, match="regions that the model saw"):
        pretrain_losses(region_output(torch.zeros(1, 1, 1, 4)), images, None)


def _one_patch():
    return torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.bool)
