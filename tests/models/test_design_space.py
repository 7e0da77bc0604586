"""What each choice of the method claims: variants, feeding and masks."""

import itertools

import pytest
import torch

import rmae

VARIANTS = ["length", "batch", "channel"]
ORDER = [2, 0, 1]


def gradients(case, loss):
    """Gradient of one of the losses for every parameter; None where it reaches none."""
    case.model.zero_grad()
    getattr(rmae.pretrain_losses(case.run(), case.images, case.regions), loss).backward()
    return {name: parameter.grad for name, parameter in case.model.named_parameters() if parameter.requires_grad}


def reaches(case, loss, part):
    """Whether a loss has a gradient for anything in a part of the model, and whether for all of it."""
    found = [
        grad is not None and bool(grad.any())
        for name, grad in gradients(case, loss).items()
        if name.startswith(f"{part}.")
    ]
    assert found
    return any(found), all(found)


@pytest.mark.parametrize("feeding", ["pixel_to_region", "none"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("variant", ["length", "batch"])
def test_permuting_regions_permutes_predictions(make_case, variant, depth, feeding):
    case = make_case(region_variant=variant, region_decoder_depth=depth, feeding=feeding)

    logits, permuted = (case.run(regions=case.regions[:, order]).region_logits for order in ([0, 1, 2], ORDER))

    torch.testing.assert_close(permuted, logits[:, ORDER], rtol=1e-10, atol=1e-12)
    assert not torch.allclose(logits, logits[:, ORDER])


@pytest.mark.parametrize("depth", [1, 2])
def test_permuting_regions_changes_what_channels_predict(make_case, depth):
    case = make_case(region_variant="channel", region_decoder_depth=depth)

    logits, permuted = (case.run(regions=case.regions[:, order]).region_logits for order in ([0, 1, 2], ORDER))

    assert (permuted - logits[:, ORDER]).abs().max() > 0.1 * logits.abs().max()


@pytest.mark.parametrize("variant", VARIANTS)
def test_regions_meet_in_all_variants_but_batch(make_case, variant):
    case = make_case(region_variant=variant)
    other_second = case.regions.clone()
    other_second[:, 1] = ~other_second[:, 1]

    before, after = case.run().region_logits, case.run(regions=other_second).region_logits

    assert not torch.allclose(before[:, 1], after[:, 1])
    assert torch.equal(before[:, 0], after[:, 0]) == (variant == "batch")


def test_channels_take_their_number_of_regions_only(make_case):
    case = make_case(region_variant="channel")
    with pytest.raises(ValueError, match="there are 2 regions an image, but this model's channels are made for 3"):
        case.run(regions=case.regions[:, :2])
    assert make_case().run(regions=case.regions[:, :2]).region_logits.shape[1] == 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_feeding_none_keeps_the_branches_apart(make_case, variant):
    case = make_case(region_variant=variant, feeding="none", region_decoder_depth=2)
    assert reaches(case, "region", "encoder") == (False, False)
    assert reaches(case, "region", "pixel_decoder") == (False, False)
    assert reaches(case, "pixel", "region_branch") == (False, False)
    assert reaches(case, "region", "region_branch") == (True, True)
    assert reaches(case, "pixel", "encoder") == (True, True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_pixels_feed_regions_and_not_the_other_way(make_case, variant):
    case = make_case(region_variant=variant, feeding="pixel_to_region")
    assert reaches(case, "region", "encoder") == (True, True)
    assert reaches(case, "region", "pixel_decoder") == (False, False)
    assert reaches(case, "pixel", "region_branch") == (False, False)


def test_regions_feed_pixels_and_not_the_other_way(make_case):
    case = make_case(feeding="region_to_pixel")
    assert reaches(case, "region", "encoder") == (False, False)
    assert reaches(case, "region", "pixel_decoder") == (False, False)
    for part in ("encoder", "query_norm", "query_proj"):  # the rest of the branch comes after the queries
        name = "region_branch.encoder" if part == "encoder" else f"region_branch.decoder.{part}"
        assert reaches(case, "pixel", name) == (True, True)
    assert reaches(case, "pixel", "region_branch.decoder.expansion") == (False, False)
    assert reaches(case, "pixel", "region_branch.neck") == (False, False)


def test_both_feed_each_other(make_case):
    case = make_case(feeding="both")
    assert reaches(case, "region", "encoder") == (True, True)
    assert reaches(case, "pixel", "region_branch.encoder") == (True, True)


def test_pixels_change_with_the_regions_that_feed_them_in_no_order(make_case):
    fed, apart = make_case(feeding="region_to_pixel"), make_case()
    for case, changes in ((fed, True), (apart, False)):
        before = case.run().pixel_prediction
        assert torch.equal(before, case.run(regions=~case.regions).pixel_prediction) != changes
        torch.testing.assert_close(case.run(regions=case.regions[:, ORDER]).pixel_prediction, before)


def test_a_model_fed_by_regions_reconstructs_pixels_without_them(make_case):
    case = make_case(feeding="both")
    alone = case.model(case.images, None, case.ids_shuffle)
    assert alone.region_logits is None
    assert alone.pixel_prediction.isfinite().all()
    assert not torch.allclose(alone.pixel_prediction, case.run().pixel_prediction)


def test_regions_that_see_no_pixels_are_the_same_for_every_image(make_case):
    case = make_case(feeding="none")
    logits = case.run().region_logits
    torch.testing.assert_close(case.run(images=case.images + 1).region_logits, logits, rtol=0, atol=0)


CHOICES = [
    (variant, feeding)
    for variant, feeding in itertools.product(VARIANTS, ["pixel_to_region", "region_to_pixel", "both", "none"])
    if variant == "length" or feeding in ("pixel_to_region", "none")
]


@pytest.mark.parametrize(("variant", "feeding"), CHOICES)
@pytest.mark.parametrize("depth", [1, 2])
class TestAnyChoice:
    def test_every_trainable_parameter_gets_a_gradient(self, make_case, variant, feeding, depth):
        case = make_case(region_variant=variant, feeding=feeding, region_decoder_depth=depth)
        found = gradients(case, "total")
        assert [name for name, grad in found.items() if grad is None or not grad.any()] == []

    def test_hidden_patches_do_not_leak(self, make_case, variant, feeding, depth):
        case = make_case(region_variant=variant, feeding=feeding, region_decoder_depth=depth, region_mask_ratio=0.5)
        before = case.run()
        pixels_hidden = case.patches(before.pixel_ids)
        regions_hidden = case.patches(before.region_ids)

        after = case.run(
            images=torch.where(pixels_hidden, torch.randn_like(case.images), case.images),
            regions=torch.where(regions_hidden, ~case.regions, case.regions),
        )

        assert torch.equal(after.pixel_prediction, before.pixel_prediction)
        assert torch.equal(after.region_logits, before.region_logits)

    def test_predicting_all_patches_changes_no_hidden_one(self, make_case, variant, feeding, depth):
        case = make_case(region_variant=variant, feeding=feeding, region_decoder_depth=depth, neck_depth=2)
        own = {"region_ids_shuffle": case.ids_shuffle.flip(1)}
        hidden_only, everything = case.run(**own), case.run(**own, predict_visible=True)
        for name in ("pixel_prediction", "region_logits"):
            ids = hidden_only.region_ids if name == "region_logits" else hidden_only.pixel_ids
            some, all_of_them = getattr(hidden_only, name), getattr(everything, name)
            picked = torch.stack([of_image[..., i, :] for of_image, i in zip(all_of_them, ids, strict=True)])
            torch.testing.assert_close(picked, some)

    def test_a_batch_is_its_samples(self, make_case, variant, feeding, depth):
        case = make_case(region_variant=variant, feeding=feeding, region_decoder_depth=depth)
        together = case.run()
        for i in range(2):
            alone = case.model(case.images[i : i + 1], case.regions[i : i + 1], case.ids_shuffle[i : i + 1])
            torch.testing.assert_close(alone.pixel_prediction[0], together.pixel_prediction[i])
            torch.testing.assert_close(alone.region_logits[0], together.region_logits[i])

    def test_it_is_saved_and_loaded(self, make_case, variant, feeding, depth, tmp_path):
        case = make_case(region_variant=variant, feeding=feeding, region_decoder_depth=depth)
        case.model.save_pretrained(tmp_path / "model")
        loaded = rmae.load(tmp_path / "model")
        assert loaded.config == case.config
        for name, tensor in case.model.state_dict().items():
            torch.testing.assert_close(loaded.state_dict()[name].double(), tensor, msg=name)
