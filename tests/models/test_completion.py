import math

import pytest
import torch

from rmae.models.completion import complete, hidden_iou
from rmae.ops.patches import gather_patches, patchify


@pytest.mark.parametrize("normalize_pixels", [True, False])
def test_visible_patches_are_pasted_and_hidden_ones_predicted(make_case, normalize_pixels):
    case = make_case()

    completion = complete(case.model, case.images, case.regions, case.ids_shuffle, normalize_pixels=normalize_pixels)

    visible, hidden = case.ids_shuffle.split([6, 18], dim=1)
    truth, result = patchify(case.images, 8), patchify(completion.reconstruction, 8)
    assert torch.equal(gather_patches(result, visible), gather_patches(truth, visible))
    prediction = gather_patches(case.run(predict_visible=True).pixel_prediction, hidden)
    if normalize_pixels:
        hidden_truth = gather_patches(truth, hidden)
        prediction = prediction * (hidden_truth.var(-1, keepdim=True) + 1e-6).sqrt() + hidden_truth.mean(
            -1, keepdim=True
        )
    torch.testing.assert_close(gather_patches(result, hidden), prediction)
    region_truth = patchify(case.regions.unsqueeze(2), 8)
    region_result = patchify(completion.region_probability.unsqueeze(2), 8)
    assert torch.equal(gather_patches(region_result, visible), gather_patches(region_truth, visible).double())
    region_prediction = gather_patches(case.run(predict_visible=True).region_logits, hidden).sigmoid()
    torch.testing.assert_close(gather_patches(region_result, hidden), region_prediction)
    assert completion.pixel_hidden.sum(1).tolist() == [18, 18]


def test_regions_may_be_hidden_by_a_mask_of_their_own(make_case):
    case = make_case(region_mask_ratio=0.5)
    own = case.ids_shuffle.flip(1)

    completion = complete(
        case.model, case.images, case.regions, case.ids_shuffle, region_ids_shuffle=own, normalize_pixels=False
    )

    assert torch.equal(completion.region_hidden, torch.ones(2, 24, dtype=torch.bool).scatter(1, own[:, :12], False))
    visible = case.patches(own[:, :12])
    shown, true = completion.region_probability, case.regions.double()
    assert torch.equal(shown.where(visible, 0), true.where(visible, 0))
    assert not torch.equal(shown, true)
    assert completion.pixel_hidden.sum(1).tolist() == [18, 18]


def test_parts_that_a_model_lacks_are_none(make_case):
    mae, rae = make_case(task="mae"), make_case(task="rae")
    assert complete(mae.model, mae.images, None, mae.ids_shuffle, normalize_pixels=True).region_probability is None
    assert complete(rae.model, rae.images, rae.regions, rae.ids_shuffle, normalize_pixels=True).reconstruction is None


def test_iou_counts_hidden_patches_only():
    true = torch.zeros(1, 1, 2, 4, dtype=torch.bool)
    true[..., 1:4] = True  # the right patch is all region, the left one half
    probability = torch.zeros(1, 1, 2, 4)
    probability[..., 2] = 0.5  # in the right patch, one column of two
    hidden = torch.tensor([[False, True]])

    iou, baseline = hidden_iou(probability, true, hidden, 2)

    assert iou.item() == 0.5
    assert baseline.item() == 1.0


def test_baseline_is_the_share_of_the_region():
    true = torch.zeros(1, 1, 2, 4, dtype=torch.bool)
    true[..., 0, 0] = True
    iou, baseline = hidden_iou(torch.ones(1, 1, 2, 4), true, torch.ones(1, 2, dtype=torch.bool), 2)
    assert iou.item() == baseline.item() == 1 / 8


def test_a_region_without_a_hidden_pixel_has_no_score():
    true = torch.zeros(1, 1, 2, 4, dtype=torch.bool)
    iou, baseline = hidden_iou(torch.ones(1, 1, 2, 4), true, torch.ones(1, 2, dtype=torch.bool), 2)
    assert math.isnan(iou.item())
    assert math.isnan(baseline.item())
