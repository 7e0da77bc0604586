import pytest
import torch

from rmae import build_model
from rmae.bench.step import TrainingStep, example_batch
from rmae.config import LossConfig, OptimizerConfig
from rmae.training.devices import build_fabric
from rmae.training.optimizer import build_optimizer
from rmae.training.step import PretrainStep


def step_of(model, precision="float32", loss=None, **options):
    fabric = build_fabric(accelerator="cpu", precision=precision)
    return TrainingStep(model, loss or LossConfig(), batch_size=2, fabric=fabric, **options)


def weights(step):
    return [tensor.clone() for tensor in step.tensors() if isinstance(tensor, torch.nn.Parameter)]


def test_a_step_is_one_update_of_the_weights(make_tiny):
    model, loss = make_tiny(), LossConfig(background_weight=0.5)
    step = step_of(model, loss=loss)
    step()

    by_hand = build_model(model, generator=torch.Generator().manual_seed(0))
    optimizer = build_optimizer(by_hand, OptimizerConfig())
    forward = PretrainStep(by_hand, loss, pixel_mean=(0.5,) * 3, pixel_std=(0.5,) * 3)
    forward(*example_batch(model, batch_size=2, device=torch.device("cpu")).tensors()).total.backward()
    optimizer.step()

    for stepped, expected in zip(weights(step), by_hand.parameters(), strict=True):
        torch.testing.assert_close(stepped, expected)
    assert any(not torch.equal(a, b) for a, b in zip(weights(step_of(model)), weights(step), strict=True))


def test_gradients_do_not_add_up_from_step_to_step(make_tiny):
    step = step_of(make_tiny())
    step()
    assert all(tensor.grad is None for tensor in step.tensors())


def test_half_precision_computes_coarsely(make_tiny):
    fine, coarse = step_of(make_tiny()), step_of(make_tiny(), precision="bf16")
    for step in (fine, coarse):
        for _ in range(3):  # the first update has the size of the rate, whatever the gradient
            step()
    differences = [(a - b).abs().max().item() for a, b in zip(weights(fine), weights(coarse), strict=True)]
    assert 0 < max(differences) < 0.1
    assert all(tensor.dtype == torch.float32 for tensor in weights(coarse))


def test_what_stays_in_memory_is_weights_twice_their_size_of_state_and_data(make_tiny):
    model = make_tiny(shared_mask=False)
    step = step_of(model)

    def num_bytes():
        return sum(tensor.nbytes for tensor in step.tensors())

    positions = 4 * (17 * 32 + 17 * 16 + 17 * 16 + 16 * 16)  # of encoder, pixel decoder, neck and region encoder
    data = 2 * (3 * 32 * 32 + 3 * 32 * 4 + 2 * 4 * 16)  # images, packed regions and two permutations
    assert num_bytes() == 4 * step.num_parameters + positions + data
    step()
    num_tensors = sum(tensor.requires_grad for tensor in step.tensors())
    assert num_bytes() == 3 * 4 * step.num_parameters + 4 * num_tensors + positions + data  # a counter for each


@pytest.mark.parametrize("task", ["mae", "rae", "rmae"])
def test_parameters_are_those_that_are_trained(make_tiny, task):
    step = step_of(make_tiny(task=task))
    assert step.num_parameters == sum(w.numel() for w in weights(step) if w.requires_grad) > 0


def test_the_batch_is_what_a_loader_would_bring(make_tiny):
    model = make_tiny(img_size=(32, 56), shared_mask=False)
    batch = example_batch(model, batch_size=2, device=torch.device("cpu"))
    assert (batch.images.shape, batch.images.dtype) == ((2, 3, 32, 56), torch.uint8)
    assert (batch.regions.shape, batch.regions.dtype) == ((2, 3, 32, 7), torch.uint8)
    for ids in (batch.ids_shuffle, batch.region_ids_shuffle):
        assert ids.dtype == torch.int32
        assert ids.sort(dim=1).values.tolist() == [list(range(28))] * 2
    plain = example_batch(make_tiny(task="mae"), batch_size=2, device=torch.device("cpu"))
    assert plain.regions is None
    assert plain.region_ids_shuffle is None


def test_activations_may_be_computed_again(make_tiny):
    plain, again = step_of(make_tiny()), step_of(make_tiny(), checkpoint_activations=True)
    for step in (plain, again):
        step()
    assert all(torch.equal(a, b) for a, b in zip(weights(plain), weights(again), strict=True))


def test_after_a_bad_update_nothing_changes(make_tiny):
    step = step_of(make_tiny())
    step()
    bad = step.tensors()[0]
    with torch.no_grad():
        bad.fill_(torch.nan)
    before = weights(step)
    step()
    assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(weights(step), before, strict=True))
