import weakref

import pytest
import torch

from rmae.bench.memory import peak_memory

CPU = torch.device("cpu")
NUM_BYTES = 4000
"""Of a tensor of 1000 float32."""


@pytest.fixture
def inputs():
    return torch.zeros(1000, requires_grad=True)


def test_counts_what_is_alive_at_once():
    def call():
        first = torch.zeros(1000)
        second = first.clone()
        del first
        second.clone()

    assert peak_memory(call, device=CPU) == 2 * NUM_BYTES


def test_the_peak_is_not_what_is_left():
    def call():
        torch.zeros(1000)
        return torch.zeros(10)

    assert peak_memory(call, device=CPU) == NUM_BYTES


def test_a_call_without_tensors_needs_nothing():
    assert peak_memory(lambda: None, device=CPU) == 0


def test_views_and_results_in_place_need_nothing():
    def call():
        tensor = torch.zeros(1000)
        tensor.view(10, 100).t()[2:].unsqueeze(0).exp_()
        return tensor.zero_().detach()

    assert peak_memory(call, device=CPU) == NUM_BYTES


def test_what_only_the_backward_pass_needs_is_alive(inputs):
    def call():
        total = inputs.exp().sum()  # one number; the gradient of exp needs its result
        return total, torch.empty(1000)

    assert peak_memory(call, device=CPU) == NUM_BYTES + 4 + NUM_BYTES
    with torch.no_grad():
        assert peak_memory(call, device=CPU) == 4 + NUM_BYTES


def test_a_chain_keeps_every_link_only_for_gradients(inputs):
    def call():
        tensor = inputs
        for _ in range(5):
            tensor = tensor.exp()

    assert peak_memory(call, held=[inputs], device=CPU) == (5 + 1) * NUM_BYTES
    with torch.no_grad():
        assert peak_memory(call, held=[inputs], device=CPU) == (2 + 1) * NUM_BYTES


def test_gradients_are_added_up_in_place_as_without_a_measurement(inputs):
    between = inputs.neg()
    result = between.neg() + between.neg()
    del between
    gradient = torch.ones(1000)

    # One gradient from either branch, the second added to the first; then that sum and its negative.
    assert peak_memory(lambda: result.backward(gradient), device=CPU) == 2 * NUM_BYTES


def test_held_storages_count_once_each():
    tensor = torch.zeros(1000)
    held = [tensor, tensor.view(10, 100)[:2], tensor.detach(), torch.zeros(500)]

    assert peak_memory(lambda: None, held=held, device=CPU) == 1.5 * NUM_BYTES
    assert peak_memory(lambda: torch.zeros(10), held=iter(held), device=CPU) == 1.5 * NUM_BYTES + 40


def test_what_the_call_lets_go_of_is_held_until_the_end():
    owner = [torch.zeros(1000)]
    storage = weakref.ref(owner[0].untyped_storage())
    alive = []

    def call():
        owner.clear()
        alive.append(storage() is not None)

    assert peak_memory(call, held=(tensor for tensor in list(owner)), device=CPU) == NUM_BYTES
    assert alive == [True]


def test_memory_from_before_does_not_matter():
    kept = [torch.zeros(7000)]
    peak_memory(lambda: kept.append(torch.zeros(5000)), device=CPU)

    def call():
        first = torch.zeros(1000)
        kept.clear()
        return first, torch.zeros(1000)

    assert peak_memory(call, device=CPU) == 2 * NUM_BYTES


def test_nothing_stays_alive():
    held, results = [torch.zeros(1000)], []
    before = weakref.ref(held[0].untyped_storage())

    def call():
        result = held[0].exp()
        results.append(weakref.ref(result.untyped_storage()))
        return result

    peak_memory(call, held=held, device=CPU)
    assert results[0]() is None
    held.clear()
    assert before() is None


def test_a_training_step_by_hand():
    layer = torch.nn.Linear(10, 20)
    images, gradient = torch.zeros(8, 10), torch.ones(8, 20)
    optimizer = torch.optim.AdamW(layer.parameters(), fused=True)

    def step():
        layer(images).backward(gradient)
        optimizer.step()
        optimizer.zero_grad()

    weights, batch, activations = 4 * (200 + 20), 4 * (80 + 160), 4 * 160
    held = [*layer.parameters(), images, gradient]
    # The first step makes the moments and, for weight and bias each, a counter. It adds one to both counters while the
    # gradients are alive: a float64 and its copy in float32.
    state = 2 * weights + 2 * 4
    assert peak_memory(step, held=held, device=CPU) == weights + batch + state + weights + (8 + 4)

    # Later ones need most at the end of the backward pass, which has the activations too.
    held += [tensor for values in optimizer.state.values() for tensor in values.values()]
    assert peak_memory(step, held=held, device=CPU) == weights + batch + state + weights + activations
    assert all(weight.grad is None for weight in layer.parameters())


def test_prints_nothing(capfd):
    peak_memory(lambda: torch.zeros(10), device=CPU)
    assert capfd.readouterr() == ("", "")


def test_other_devices_are_refused():
    with pytest.raises(ValueError, match="on cpu and cuda devices, found meta; move the call there"):
        peak_memory(lambda: None, device=torch.device("meta"))


@pytest.mark.gpu
def test_on_a_gpu_what_the_call_knows_nothing_of_is_left_out():
    device = torch.device("cuda")
    held, other = torch.zeros(2**20, device=device), torch.zeros(2**20, device=device)

    assert peak_memory(lambda: held.clone().exp(), held=[held], device=device) == 3 * 2**22
    assert other.device.type == "cuda"
