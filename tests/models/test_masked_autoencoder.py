"""What must hold for any model: shapes, independence of what is hidden, equivariance, and where gradients go."""

import pytest
import torch

import rmae
from rmae.ops.patches import gather_patches, patchify, unpatchify


@pytest.mark.parametrize("task", ["mae", "rae", "rmae"])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_shapes_of_the_output(make_case, task, channels):
    case = make_case(task=task, channels=channels)  # 24 patches, 6 visible

    hidden_only, everything = case.run(), case.run(predict_visible=True)

    for output, num_predicted in ((hidden_only, 18), (everything, 24)):
        if task == "rae":
            assert output.pixel_prediction is None
        else:
            assert output.pixel_prediction.shape == (2, num_predicted, 64 * channels)
        if task == "mae":
            assert output.region_logits is None
        else:
            assert output.region_logits.shape == (2, 3, num_predicted, 64)
    assert hidden_only.pixel_hidden.all()
    assert torch.equal(hidden_only.pixel_ids, case.ids_shuffle[:, 6:])
    assert everything.region_hidden.sum(1).tolist() == [18, 18]
    assert everything.region_ids.tolist() == [list(range(24))] * 2


def test_predicting_all_patches_changes_no_hidden_one(make_case):
    case = make_case()

    hidden_only, everything = case.run(), case.run(predict_visible=True)

    ids = hidden_only.pixel_ids
    torch.testing.assert_close(gather_patches(everything.pixel_prediction, ids), hidden_only.pixel_prediction)
    torch.testing.assert_close(gather_patches(everything.region_logits, ids), hidden_only.region_logits)
    for output in (hidden_only, everything):
        losses = rmae.pretrain_losses(output, case.images, case.regions)
        torch.testing.assert_close(losses, rmae.pretrain_losses(hidden_only, case.images, case.regions))


def test_nothing_hidden_leaks_into_the_predictions(make_case):
    case = make_case(region_decoder_depth=2)
    before = case.run()
    hidden = before.pixel_ids

    images = _change_patches(case.images, hidden, torch.randn_like(case.images))
    regions = _change_patches(case.regions.unsqueeze(2), hidden, ~case.regions.unsqueeze(2)).squeeze(2)
    assert not torch.equal(images, case.images)
    assert not torch.equal(regions, case.regions)
    after = case.run(images=images, regions=regions)

    assert torch.equal(after.pixel_prediction, before.pixel_prediction)
    assert torch.equal(after.region_logits, before.region_logits)


def test_everything_visible_counts(make_case):
    case = make_case()
    before = case.run()
    visible = case.ids_shuffle[:, :6]

    changed_image = case.run(images=_change_patches(case.images, visible, case.images + 1))
    changed_regions = case.run(
        regions=_change_patches(case.regions.unsqueeze(2), visible, ~case.regions.unsqueeze(2)).squeeze(2)
    )

    assert not torch.allclose(changed_image.pixel_prediction, before.pixel_prediction)
    assert not torch.allclose(changed_image.region_logits, before.region_logits)  # the neck carries pixels to regions
    assert not torch.allclose(changed_regions.region_logits, before.region_logits)
    assert torch.equal(changed_regions.pixel_prediction, before.pixel_prediction)


def _change_patches(maps, ids, replacement):
    """Take the patches `ids` from another map."""
    grid = (maps.shape[-2] // 8, maps.shape[-1] // 8)
    patches, other = patchify(maps, 8), patchify(replacement, 8)
    index = ids.reshape(len(ids), *(1,) * (patches.ndim - 3), -1, 1)
    index = index.expand(*patches.shape[:-2], ids.shape[1], patches.shape[-1])
    return unpatchify(patches.scatter(-2, index, other.gather(-2, index)), 8, grid)


@pytest.mark.parametrize("region_decoder_depth", [1, 3])
def test_permuting_regions_permutes_predictions_and_keeps_the_gradients(make_case, region_decoder_depth):
    case = make_case(region_decoder_depth=region_decoder_depth)
    order = [2, 0, 1]

    def logits_and_gradients(regions):
        case.model.zero_grad()
        output = case.run(regions=regions)
        rmae.pretrain_losses(output, case.images, regions).total.backward()
        gradients = {n: p.grad.clone() for n, p in case.model.named_parameters() if p.requires_grad}
        return output.region_logits, gradients

    logits, gradients = logits_and_gradients(case.regions)
    permuted_logits, permuted_gradients = logits_and_gradients(case.regions[:, order])

    torch.testing.assert_close(permuted_logits, logits[:, order])
    assert not torch.allclose(logits, logits[:, order])
    for name, gradient in gradients.items():
        assert (permuted_gradients[name] - gradient).abs().max() <= 1e-10 * gradient.abs().max(), name


def test_a_batch_is_its_samples(make_case):
    case = make_case()
    together = case.run()
    for i in range(2):
        alone = case.model(case.images[i : i + 1], case.regions[i : i + 1], case.ids_shuffle[i : i + 1])
        torch.testing.assert_close(alone.pixel_prediction[0], together.pixel_prediction[i])
        torch.testing.assert_close(alone.region_logits[0], together.region_logits[i])


def test_the_encoder_by_parts_is_timms_own_when_nothing_is_hidden(make_case):
    from rmae.models.encoder import encode_visible

    case = make_case(channels=4)
    everything = torch.arange(24).expand(2, -1)

    by_parts = encode_visible(case.model.encoder, case.images, everything)

    torch.testing.assert_close(by_parts, case.model.encoder.forward_features(case.images))
    torch.testing.assert_close(by_parts, rmae.encode(case.model, case.images))


@pytest.mark.parametrize("variant", ["length", "batch", "channel"])
def test_ratios_of_image_and_regions_may_differ_and_then_one_hides_all_that_the_other_does(make_case, variant):
    for ratio, num_hidden in ((0.5, 12), (0.9, 22)):
        output = make_case(region_mask_ratio=ratio, region_variant=variant).run()
        assert output.pixel_prediction.shape[1] == 18
        assert output.region_logits.shape[2] == num_hidden
        for of_pixels, of_regions in zip(output.pixel_ids.tolist(), output.region_ids.tolist(), strict=True):
            fewer, more = sorted((set(of_pixels), set(of_regions)), key=len)
            assert fewer < more


def test_region_maps_may_be_hidden_by_a_permutation_of_their_own(make_case):
    case = make_case()
    region_ids_shuffle = case.ids_shuffle.flip(1)

    output = case.run(region_ids_shuffle=region_ids_shuffle)

    assert torch.equal(output.region_ids, region_ids_shuffle[:, 6:])
    assert torch.equal(output.pixel_ids, case.ids_shuffle[:, 6:])
    assert torch.equal(output.pixel_prediction, case.run().pixel_prediction)
    assert not torch.allclose(output.region_logits, case.run(region_ids_shuffle=case.ids_shuffle).region_logits)


def test_every_trainable_parameter_gets_a_gradient(make_case):
    case = make_case(region_decoder_depth=2)
    rmae.pretrain_losses(case.run(), case.images, case.regions).total.backward()
    without = [n for n, p in case.model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert without == []
    assert case.model.encoder.pos_embed.grad is None


def test_a_model_without_region_branch_refuses_regions(make_case):
    case = make_case(task="mae")
    with pytest.raises(ValueError, match="no region branch"):
        case.model(case.images, case.regions, case.ids_shuffle)


@pytest.mark.slow
@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"region_decoder_depth": 2, "feeding": "both"},
        {"feeding": "none"},
        {"region_variant": "batch"},
        {"region_variant": "channel"},
    ],
    ids=str,
)
def test_the_model_compiles_without_a_graph_break(make_case, choice):
    case = make_case(**choice)
    compiled = torch.compile(case.model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(case.images, case.regions, case.ids_shuffle), case.run())
