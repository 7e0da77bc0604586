import pytest

from rmae.training.schedule import lr_factor


def test_a_linear_rise_then_half_a_cosine():
    factors = [lr_factor(update, num_updates=12, warmup=1 / 3) for update in range(13)]
    assert factors[:5] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert factors[8] == pytest.approx(0.5)
    assert factors[12] == pytest.approx(0)
    assert sorted(factors[4:], reverse=True) == factors[4:]


def test_without_warmup_it_starts_at_the_peak():
    assert lr_factor(0, num_updates=5, warmup=0) == 1
