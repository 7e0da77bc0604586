"""What is set against what; the figures themselves are tested where they are made."""

import gc
import weakref

import pytest
import torch

from rmae.bench import costs
from rmae.bench.costs import NUMS_REGIONS, Candidate, count_by_num_regions, measure_costs
from rmae.bench.macs import count_macs
from rmae.bench.step import TrainingStep
from rmae.config import LossConfig
from rmae.training.devices import build_fabric


def measure(*candidates, batch_size=2, repeats=3):
    fabric = build_fabric(accelerator="cpu", precision="float32")
    return measure_costs(candidates, batch_size=batch_size, repeats=repeats, fabric=fabric)


@pytest.fixture
def candidate(make_tiny):
    return lambda name="R-MAE", **changes: Candidate(name, make_tiny(**changes), LossConfig())


def test_times_are_set_against_those_of_the_same_round(candidate, monkeypatch):
    def times_of_a_machine_that_slows_down(calls, *, repeats):
        assert list(calls) == ["mae", "this"]
        return {"mae": [10.0, 20.0, 40.0][:repeats], "this": [11.0, 24.0, 44.0][:repeats]}

    monkeypatch.setattr(costs, "times_side_by_side", times_of_a_machine_that_slows_down)
    mae, other = measure(candidate())["rows"]
    assert (mae["step_ms"], mae["step_over_mae"]) == (20, 1)
    assert (other["step_ms"], other["step_over_mae"]) == (24, 1.1)


def test_ratios_are_those_of_the_figures_beside_them(candidate):
    mae, other = measure(candidate(neck_depth=2))["rows"]
    both = [row["macs_forward"] + row["macs_backward"] for row in (mae, other)]
    assert other["macs_over_mae"] == both[1] / both[0]
    assert other["forward_over_mae"] == other["macs_forward"] / mae["macs_forward"]
    assert other["region_branch_over_mae"] == other["macs_region_branch"] / mae["macs_forward"]
    assert other["parameters_over_mae"] == other["parameters"] / mae["parameters"]
    assert other["peak_memory_over_mae"] == other["peak_memory_bytes"] / mae["peak_memory_bytes"]
    for name in ("macs", "forward", "parameters", "peak_memory", "step"):
        assert mae[f"{name}_over_mae"] == 1
        assert other[f"{name}_over_mae"] > (1 if name != "step" else 0)


def test_memory_has_all_that_stays_and_the_gradients_too(candidate):
    for row in measure(candidate())["rows"]:
        assert row["peak_memory_bytes"] > 4 * 4 * row["parameters"]  # weights, two moments and gradients, float32


def test_macs_are_those_of_one_image_of_the_batch(candidate):
    blind = candidate(feeding="none")
    _, alone = measure(blind, batch_size=1, repeats=1)["rows"]
    _, together = measure(blind, batch_size=4, repeats=1)["rows"]
    assert alone["macs_forward"] == count_macs(blind.model).forward
    assert together["macs_forward"] == count_macs(blind.model, batch_size=4).forward
    saved = alone["macs_neck"] - together["macs_neck"]
    assert alone["macs_forward"] - together["macs_forward"] == saved == alone["macs_neck"] * 3 // 4 > 0


@pytest.mark.slow
def test_two_models_at_most_are_in_memory_at_a_time(candidate, monkeypatch):
    alive, most = weakref.WeakSet(), []

    class Counted(TrainingStep):
        def __init__(self, *arguments, **options):
            gc.collect()
            super().__init__(*arguments, **options)
            alive.add(self)
            most.append(len(alive))

    monkeypatch.setattr(costs, "TrainingStep", Counted)
    measure(*(candidate(str(depth), neck_depth=depth) for depth in (1, 2, 3)), repeats=1)
    assert most == [1, 2, 2, 2]


def test_the_whole_is_described(candidate):
    measured = measure(candidate(), repeats=1)
    assert (measured["batch_size"], measured["repeats"], measured["device"]) == (2, 1, "cpu")
    assert measured["threads"] == torch.get_num_threads()
    assert {"processor", "packages", "commit"} <= measured["machine"].keys()


@pytest.mark.slow
def test_cost_by_number_of_regions_is_that_of_both_passes_over_maes(make_tiny):
    model, loss = make_tiny(), LossConfig()
    by_number = count_by_num_regions(model, loss)
    assert all(tuple(costs) == NUMS_REGIONS for costs in by_number.values())
    mae, four = count_macs(model.without_regions()), count_macs(make_tiny(region_variant="batch", num_regions=4))
    assert by_number["batch"][4] == (four.forward + four.backward) / (mae.forward + mae.backward)
