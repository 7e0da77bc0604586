"""Training beside MAE's: what is set against what, and the arithmetic."""

from contextlib import contextmanager, nullcontext
from itertools import repeat

import pytest
import torch

from rmae.bench import training
from rmae.bench.macs import StepMacs, count_macs
from rmae.bench.matrix_product import matrix_product_rate
from rmae.bench.operators import slowest_operators
from rmae.bench.real_batches import RealBatches, prepare_real_batches
from rmae.bench.step import TrainingStep, example_batch
from rmae.bench.stopwatch import rounds_side_by_side
from rmae.bench.training import Timing, measure_training, model_flops_utilisation
from rmae.config import DataConfig, LossConfig, OptimizerConfig, PretrainConfig
from rmae.regions.grid import Grid
from rmae.training.devices import build_fabric

CPU = torch.device("cpu")


@pytest.fixture
def timing():
    return Timing(
        batch_size=2,
        repeats=3,
        seconds=1e-6,
        fabric=build_fabric(accelerator="cpu", precision="float32"),
        dtype=torch.float32,
        checkpoint_activations=False,
        report=lambda sentence: None,
    )


def endless(model, num_ahead=0):
    batch = example_batch(model, batch_size=2, device=CPU)
    return lambda: nullcontext(RealBatches(repeat(batch), num_ahead))


def measure(model, timing, **options):
    options = {"modes": (False,), "open_real": endless(model)} | options
    return measure_training(model, LossConfig(), timing=timing, **options)


def test_utilisation_of_known_numbers():
    macs = StepMacs(forward=10**9, backward=2 * 10**9, region_branch=10**8, neck=10**7)
    # 3 GMAC are 6 GFLOP an image; 100 images a second are 0.6 TFLOP/s, of 1.2.
    assert model_flops_utilisation(macs, images_per_s=100, flops_per_s=1.2e12) == pytest.approx(0.5)


def test_figures_follow_from_times(make_tiny, timing, monkeypatch):
    rounds = iter([
        [[0.2, 0.3, 0.4], [0.1, 0.2, 0.4]],  # the model, MAE
        [[0.2, 0.2, 0.2], [0.2, 0.4, 0.8]],  # on synthetic data, on real data
    ])  # fmt: skip
    monkeypatch.setattr(training, "rounds_side_by_side", lambda *arguments, **options: next(rounds))
    monkeypatch.setattr(training, "matrix_product_rate", lambda device, dtype: 1e9)
    model = make_tiny()

    measured = measure(model, timing)

    assert measured["rmae_over_mae"] == pytest.approx(1.5)  # the median of 2, 1.5 and 1
    assert measured["images_per_s"] == pytest.approx(2 / 0.3)
    assert measured["real_over_synthetic"] == 0.5  # the median of 1, 0.5 and 0.25
    assert measured["compiled_over_eager"] is None
    macs = count_macs(model, batch_size=2)
    assert measured["mfu"] == pytest.approx(2 * (macs.forward + macs.backward) * 2 / 0.3 / 1e9)
    this, mae, real = measured["rows"]
    assert [row["name"] for row in (this, mae, real)] == ["R-MAE", "MAE", "R-MAE"]
    assert [row["data"] for row in (this, mae, real)] == ["synthetic", "synthetic", "real"]
    assert mae["images_per_s"] == pytest.approx(2 / 0.2)
    assert real["images_per_s"] == pytest.approx(2 / 0.4)
    assert measured["peak_memory_bytes"] == this["peak_memory_bytes"] > mae["peak_memory_bytes"]


@pytest.mark.slow
def test_compiled_is_set_against_eager_of_the_same_rounds(make_tiny, timing, monkeypatch):
    times = iter([
        [[0.4, 0.4, 0.4], [0.4, 0.4, 0.4]],  # the model, MAE
        [[0.2, 0.1, 0.4], [0.4, 0.4, 0.4]],  # compiled, eager
        [[0.3, 0.3, 0.3], [0.2, 0.2, 0.2]],  # compiled: the model, MAE
        [[0.3, 0.3, 0.3], [0.3, 0.3, 0.3]],
    ])  # fmt: skip
    monkeypatch.setattr(training, "rounds_side_by_side", lambda *arguments, **options: next(times))
    monkeypatch.setattr(torch, "compile", lambda module, **options: module)

    measured = measure(make_tiny(), timing, modes=(False, True))

    assert measured["compiled_over_eager"] == 2  # the median of 2, 4 and 1
    assert measured["rmae_over_mae"] == pytest.approx(1.5)
    assert [(row["name"], row["compiled"], row["data"]) for row in measured["rows"]] == [
        ("R-MAE", False, "synthetic"), ("MAE", False, "synthetic"),
        ("R-MAE", True, "synthetic"), ("MAE", True, "synthetic"), ("R-MAE", True, "real"),
    ]  # fmt: skip
    assert measured["saved_bytes_per_image"] == measured["rows"][0]["saved_bytes_per_image"]
    assert "saved_bytes_per_image" not in measured["rows"][2]
    assert measured["images_per_s"] == measured["rows"][2]["images_per_s"] == pytest.approx(2 / 0.3)


@pytest.mark.slow
def test_everything_is_measured_for_real(make_tiny, timing):
    inspected = []
    measured = measure(make_tiny(), timing, inspect=inspected.append)
    assert [type(step) for step in inspected] == [TrainingStep]
    for name in ("images_per_s", "mfu", "rmae_over_mae", "real_over_synthetic", "matmul_flops_per_s"):
        assert measured[name] > 0
    assert 0 < measured["saved_bytes_over_written_out_attention"] < 1
    assert (measured["batch_size"], measured["repeats"], measured["device"]) == (2, 3, "cpu")


@pytest.mark.slow
def test_activations_that_are_computed_again_are_not_held(make_tiny, timing):
    model = make_tiny(depth=4, decoder_depth=4)
    plain, again = (
        measure(model, timing._replace(repeats=1, checkpoint_activations=c))["rows"][0] for c in (False, True)
    )
    assert again["saved_bytes_per_image"] < 0.5 * plain["saved_bytes_per_image"]
    assert again["macs"] == plain["macs"]


@pytest.mark.slow
def test_batches_that_stood_ready_are_not_timed(make_tiny, timing):
    model, taken = make_tiny(task="mae"), []
    batch = example_batch(model, batch_size=2, device=CPU)

    def batches():
        while True:
            taken.append(1)
            yield batch

    @contextmanager
    def open_real():
        yield RealBatches(batches(), 3)

    measure(model, timing, open_real=open_real)
    assert len(taken) == 2 + 3 * (3 + 1)  # warming up; in each round those ahead, and one that is timed


def test_rounds_take_turns_and_wait_only_at_their_ends():
    events = []
    calls = [lambda: events.append("a"), lambda: events.append("b")]
    taken = rounds_side_by_side(
        calls, 2, 1e-9, wait=lambda: events.append("|"), before_round=[lambda: None, lambda: events.append("before")]
    )
    assert "".join(events).replace("before", "-") == "|a||a||b||b|" + 2 * "|a|-|b|"
    assert [len(times) for times in taken] == [2, 2]


def test_calls_are_repeated_for_about_as_long_as_asked_for(monkeypatch):
    clock, number = [0.0], [0]

    def call():
        clock[0] += 0.5
        number[0] += 1

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    assert rounds_side_by_side([call], 2, 2.0, wait=lambda: None) == [[0.5, 0.5]]
    assert number == [2 + 2 * 4]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_matrix_product_has_two_operations_for_each_multiplication(dtype, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    assert matrix_product_rate(CPU, dtype, side=4) == 5 * 2 * 4**3  # five products in a second


def test_the_slowest_operators_are_listed(make_tiny, timing):
    step = TrainingStep(make_tiny(), LossConfig(), batch_size=2, fabric=timing.fabric)
    table = slowest_operators(step, num_steps=1, num_rows=25).splitlines()
    assert "Self CPU" in table[1]
    assert any("aten::addmm" in line for line in table)
    assert 25 <= len(table) <= 25 + 8


@pytest.fixture
def config(make_tiny):
    return PretrainConfig(
        model=make_tiny(),
        data=DataConfig(regions=Grid(), num_workers=0),
        optimizer=OptimizerConfig(epochs=None, updates=1, batch_size=7),
    )


def test_few_images_fill_any_batch(config, photo_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with prepare_real_batches(config, photo_folder, device=CPU) as open_real, open_real() as real:
        first, second = next(real.batches), next(real.batches)
        assert real.num_ahead == 0
    assert len(first.images) == len(second.images) == 7  # of five photographs
    assert first.regions.shape == (7, 3, 32, 4)
    assert not torch.equal(first.images, second.images)
    assert [path.suffix for path in (tmp_path / "runs" / "regions").iterdir()] == [".regions"]


def test_the_bundled_photographs_leave_nothing_behind(config, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with prepare_real_batches(config, None, device=CPU) as open_real, open_real() as real:
        assert len(next(real.batches).images) == 7
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_folders_without_images_are_refused(config, tmp_path):
    with (
        pytest.raises(ValueError, match="there is no image in"),
        prepare_real_batches(config, tmp_path, device=CPU),
    ):
        pass
