import pytest

from rmae.training.schedule import lr_factor, poly_factor, step_factor


def test_a_linear_rise_then_half_a_cosine():
    factors = [lr_factor(update, num_updates=12, warmup=1 / 3) for update in range(13)]
    assert factors[:5] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert factors[8] == pytest.approx(0.5)
    assert factors[12] == pytest.approx(0)
    assert sorted(factors[4:], reverse=True) == factors[4:]


def test_without_warmup_it_starts_at_the_peak():
    assert lr_factor(0, num_updates=5, warmup=0) == 1


@pytest.mark.parametrize("factor", [poly_factor, step_factor])
def test_the_others_rise_alike(factor):
    rates = [factor(update, num_updates=100, warmup=0.1) for update in range(11)]
    assert rates == pytest.approx([update / 10 for update in range(11)])


def test_a_power_of_what_is_left():
    assert [poly_factor(update, num_updates=100, warmup=0.0) for update in (0, 25, 100)] == [1, 0.75, 0]
    assert poly_factor(50, num_updates=100, warmup=0.0, power=2) == 0.25


def test_a_drop_at_each_milestone():
    factors = [step_factor(update, num_updates=27, warmup=0.0) for update in range(27)]
    assert factors == pytest.approx([1] * 24 + [0.1] * 2 + [0.01])
    halves = [step_factor(update, num_updates=4, warmup=0.0, milestones=(0.5,), gamma=0.5) for update in range(4)]
    assert halves == [1, 1, 0.5, 0.5]
