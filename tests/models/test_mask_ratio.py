import pytest
import torch

from rmae.models.mask_ratio import with_mask_ratio


def test_the_parts_are_shared_and_the_model_is_left_as_it_was(make_model):
    model = make_model()
    other = with_mask_ratio(model, 0.5)
    assert (other.encoder, other.pixel_decoder, other.region_branch) == (
        model.encoder,
        model.pixel_decoder,
        model.region_branch,
    )
    assert (model.config.mask_ratio, model.num_visible) == (0.75, 6)  # of 24 patches
    assert (other.config.mask_ratio, other.num_visible, other.region_num_visible) == (0.5, 12, 12)
    assert (other.pixel_mean, other.pixel_std) == (model.pixel_mean, model.pixel_std) != (None, None)


def test_regions_may_have_a_ratio_of_their_own(make_model):
    other = with_mask_ratio(make_model(), 0.5, region_mask_ratio=0.9)
    assert (other.num_visible, other.region_num_visible) == (12, 2)
    assert with_mask_ratio(other, 0.25).region_num_visible == 18  # not that of before


def test_no_part_changes_its_mode(make_model):
    model = make_model().eval()
    model.encoder.train()
    other = with_mask_ratio(model, 0.5)
    assert not other.training
    assert other.encoder.training
    assert not other.pixel_decoder.training


def test_missing_parts_stay_missing(make_model):
    model = make_model()
    model.pixel_decoder = None
    assert with_mask_ratio(model, 0.5).pixel_decoder is None


def test_it_predicts_what_a_model_trained_with_the_ratio_would(make_model, same_model):
    """The weights do not depend on the ratio: a model built with it and given them predicts the same."""
    model, built = make_model(), make_model(mask_ratio=0.5)
    built.load_state_dict(model.state_dict())
    other = with_mask_ratio(model, 0.5)
    same_model(other, built)
    images, regions = torch.randn(1, 3, 32, 48), torch.rand(1, 3, 32, 48) < 0.5
    ids_shuffle = torch.randperm(24).unsqueeze(0)
    found, expected = (each(images, regions, ids_shuffle) for each in (other, built))
    assert torch.equal(found.pixel_prediction, expected.pixel_prediction)
    assert torch.equal(found.region_logits, expected.region_logits)
    assert found.pixel_ids.shape == (1, 12)


@pytest.mark.parametrize(
    ("ratio", "sentence"),
    [
        (0.0, "mask_ratio is 0.0; it must lie between 0 and 1, both excluded"),
        (1.0, "mask_ratio is 1.0; it must lie between 0 and 1"),
        (0.99, "with mask_ratio 0.99 none of the 24 patches is visible"),
        (1e-17, "with mask_ratio 1e-17 none of the 24 patches is hidden"),
    ],
)
def test_ratios_that_hide_nothing_or_all_are_refused(make_model, ratio, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        with_mask_ratio(make_model(), ratio)
