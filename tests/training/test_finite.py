import pytest
import torch

from rmae.training.finite import FiniteGuard

NAMES = ("loss", "pixel_loss", "region_loss")
GOOD = torch.tensor([2.0, 1.0, 1.0, 0.5])


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([float("nan"), 1.5, float("nan"), 2], "the loss was not finite at update 4"),
        ([2, 1, 1, float("inf")], "the gradient was not finite at update 4"),
    ],
)
def test_the_first_bad_update_is_remembered(values, what):
    guard = FiniteGuard(torch.device("cpu"), NAMES)
    guard.check(2, GOOD)
    assert guard.first_bad() is None
    assert guard.found_inf == 0

    guard.check(3, torch.tensor(values))
    guard.check(4, torch.full((4,), float("nan")))
    guard.check(5, GOOD)

    assert guard.first_bad() == 3
    assert guard.found_inf == 1
    assert guard.describe().startswith(what)
    assert f"pixel loss {values[1]:g}" in guard.describe()


def test_fused_adamw_leaves_everything_alone_while_the_flag_is_set():
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight], fused=True)
    guard = FiniteGuard(torch.device("cpu"), NAMES)
    optimizer.found_inf = guard.found_inf

    weight.grad = torch.ones(3)
    optimizer.step()
    before = {name: value.clone() for name, value in optimizer.state[weight].items()} | {"weight": weight.clone()}
    guard.check(1, torch.full((4,), float("nan")))
    weight.grad = torch.full((3,), float("nan"))
    optimizer.step()

    assert all(torch.equal(optimizer.state[weight][name], before[name]) for name in optimizer.state[weight])
    assert torch.equal(weight, before["weight"])
