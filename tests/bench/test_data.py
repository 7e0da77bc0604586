import io
import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rmae.bench import data
from rmae.bench.data import (
    STAGES,
    LoaderTiming,
    StagedSamples,
    bytes_per_sample,
    measure_data,
    prepare_images,
    summarise,
)
from rmae.config import DataConfig, ModelConfig, OptimizerConfig, PretrainConfig
from rmae.data.layouts import list_images
from rmae.data.order import SampleKey, epoch_order
from rmae.data.packing import Packing, pack_images
from rmae.data.samples import Batch, PretrainSamples, Sample
from rmae.data.share import Share
from rmae.regions.grid import Grid
from rmae.regions.inside import Inside
from rmae.regions.live import Live
from rmae.regions.slic import Slic
from rmae.regions.stored import Stored

QUICK = LoaderTiming(repeats=2, seconds=0.01, num_workers=(0, 1))
GRID = Grid(rows=2, columns=3)


@pytest.fixture
def config(make_tiny) -> PretrainConfig:
    return with_model(make_tiny(), GRID)


def with_model(model: ModelConfig, regions) -> PretrainConfig:
    return PretrainConfig(model=model, data=DataConfig(regions=regions), optimizer=OptimizerConfig(batch_size=8))


def pack(photo_folder: Path, out: Path, regions) -> Path:
    packing = Packing(short_side=40, regions=regions, num_workers=0)
    pack_images(list_images(photo_folder), out, packing, share=Share(0, 1))
    return out


def same(one: Sample, other: Sample) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True) if not (a is None and b is None))


# Stages


@pytest.mark.parametrize(
    "changes",
    [{}, {"shared_mask": False, "masking": "region_biased"}, {"masking": "region_visible"}, {"task": "mae"}],
    ids=["plain", "region_biased", "region_visible", "mae"],
)
@pytest.mark.parametrize("source", [GRID, Live(source=Slic(num_segments=(5,)))], ids=["stored", "live"])
@pytest.mark.parametrize("packed", [False, True], ids=["files", "shards"])
def test_stages_make_the_samples_of_training(photo_folder, tmp_path, make_tiny, changes, source, packed):
    root = pack(photo_folder, tmp_path / "packed", GRID) if packed else photo_folder
    stages = []
    with prepare_images(root, with_model(make_tiny(**changes), source), num_images=None, short_side=None) as (
        images,
        prepared,
    ):
        samples = PretrainSamples(images, data=prepared.data, model=prepared.model, seed=prepared.run.seed)
        staged = StagedSamples(images, prepared)
        for epoch in range(2):
            for index in range(len(samples)):
                key = SampleKey(epoch, index)
                assert same(staged.make(key, stages.append), samples[key])
    assert set(stages) == set(STAGES) - {"collate"}


def test_every_stage_is_timed(photo_folder, config):
    with prepare_images(photo_folder, config, num_images=None, short_side=None) as (images, prepared):
        milliseconds = StagedSamples(images, prepared).time([SampleKey(0, 0), SampleKey(0, 3)])
    assert tuple(milliseconds) == STAGES
    assert min(milliseconds.values()) > 0


# What is measured


def test_images_are_read_as_they_are_and_regions_made(photo_folder, config):
    with prepare_images(photo_folder, config, num_images=None, short_side=16) as (images, prepared):
        assert images == list_images(photo_folder)
        store = Path(prepared.data.region_store)
        assert Stored(path=str(store)).store.names() == set(images.names)
        assert prepared.data.crops_per_image == 2  # 6 images for 8 samples
    assert not store.exists()
    assert sorted(path.name for path in photo_folder.parent.iterdir()) == ["photos"]


def test_regions_inside_shards_are_not_made_again(photo_folder, tmp_path, config):
    root = pack(photo_folder, tmp_path / "packed", GRID)
    with prepare_images(root, config, num_images=None, short_side=None) as (images, prepared):
        assert images.container is not None
        assert prepared.data.region_store is None


def test_as_many_images_as_wanted_are_spread_over_all(photo_folder, config):
    with prepare_images(photo_folder, config, num_images=3, short_side=None) as (images, prepared):
        assert images.names == ("0.png", "2.png", "4.png")
        assert prepared.data.crops_per_image == 3
        assert Stored(path=prepared.data.region_store).store.names() == set(images.names)
    with prepare_images(photo_folder, config, num_images=7, short_side=None) as (images, _):
        assert len(images.names) == 6


@pytest.mark.parametrize(("source", "inside"), [(GRID, True), (Live(source=GRID), False)])
def test_by_default_photographs_are_packed(config, source, inside, capsys):
    config = replace(config, data=DataConfig(regions=source))
    with prepare_images(None, config, num_images=2, short_side=32) as (images, prepared):
        assert images.names == ("astronaut.png", "ihc.png")
        assert images.container.region_settings == ({"kind": "grid", "rows": 2, "columns": 3} if inside else None)
        assert prepared.data.regions == (Inside() if inside else source)
        shapes = [images.read(name, channels=3, max_pixels=10**6).shape for name in images.names]
    assert shapes == [(32, 32, 3), (32, 32, 3)]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("packed", [False, True], ids=["files", "shards"])
def test_all_figures_are_there(photo_folder, tmp_path, config, packed):
    num_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    root = pack(photo_folder, tmp_path / "packed", GRID) if packed else photo_folder
    with prepare_images(root, config, num_images=None, short_side=None) as (images, prepared):
        measured = measure_data(images, prepared, QUICK)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(num_threads)
    times = [measured[f"cpu_ms_per_sample{which}"] for which in ("", "_without_regions")]
    assert min(*times, measured["pillow_decode_ms"], *measured["stages"].values()) > 0
    assert tuple(measured["stages"]) == STAGES
    assert measured["bytes_per_sample"] == 3 * 32 * 32 + 3 * 32 * 4 + 4 * 16
    assert [rate["num_workers"] for rate in measured["images_per_s"]] == [0, 1]
    assert all(rate[side] > 0 for rate in measured["images_per_s"] for side in ("with_regions", "without_regions"))
    assert (measured["num_images"], measured["num_samples"], measured["num_samples_skipped"]) == (6, 8, 0)
    assert (measured["image_hw"], measured["num_regions"], measured["batch_size"]) == ([32, 32], 3, 8)
    assert measured["machine"]["cores"] >= 1


def test_images_that_cannot_be_used_are_left_out(photo_folder, config):
    (photo_folder / "2.png").write_bytes(b"no image")
    with prepare_images(photo_folder, config, num_images=None, short_side=None) as (images, prepared):
        prepared = replace(prepared, optimizer=OptimizerConfig(batch_size=12))  # all of an epoch
        measured = measure_data(images, prepared, QUICK._replace(num_workers=()))
    assert (measured["num_samples"], measured["num_samples_skipped"]) == (10, 2)
    assert measured["images_per_s"] == []


def test_where_no_image_can_be_used_it_says_so(photo_folder, config):
    config = replace(config, optimizer=OptimizerConfig(batch_size=1))
    drawn_first = epoch_order(6, config.run.seed, 0)[0]
    (photo_folder / f"{drawn_first}.png").write_bytes(b"no image")
    with (
        prepare_images(photo_folder, config, num_images=None, short_side=None) as (images, prepared),
        pytest.raises(ValueError, match=r"none of the 1 images that were drawn from .*photos can be used"),
    ):
        measure_data(images, prepared, QUICK)


# Arithmetic


def test_pillow_decodes_the_pixels():
    encoded = io.BytesIO()
    Image.fromarray(np.zeros((64, 64, 3), dtype=np.uint8)).save(encoded, "JPEG")
    with pytest.raises(OSError, match="truncated"):
        data._decode(encoded.getvalue()[:-20])


def test_what_is_made_while_the_workers_start_is_not_counted(photo_folder, config, monkeypatch):
    @contextmanager
    def slow_at_first(*arguments, **options):
        def batches():
            for number in count():
                time.sleep(0.5 if number == 0 else 0.001)
                yield None

        yield batches()

    monkeypatch.setattr(data, "open_batches", slow_at_first)
    with prepare_images(photo_folder, config, num_images=None, short_side=None) as (images, prepared):
        measured = measure_data(images, prepared, QUICK._replace(num_workers=(0,)))
    assert measured["images_per_s"][0]["with_regions"] > 8 / 0.5


def test_medians_of_rounds_and_of_their_ratios():
    def round_of(sample, plain, pillow):
        stages = {stage: sample * place for place, stage in enumerate(STAGES)}
        return {
            "cpu_ms_per_sample": sample,
            "cpu_ms_per_sample_without_regions": plain,
            "pillow_decode_ms": pillow,
            **stages,
        }

    summary = summarise([round_of(6.0, 4.0, 2.0), round_of(3.0, 1.0, 3.0), round_of(10.0, 5.0, 2.0)])
    assert summary == {
        "cpu_ms_per_sample": 6.0,
        "cpu_ms_per_sample_without_regions": 4.0,
        "regions_over_none": 2.0,  # of 1.5, 3 and 2
        "pillow_decode_ms": 2.0,
        "sample_over_pillow_decode": 3.0,  # of 3, 1 and 5
        "stages": {stage: 6.0 * place for place, stage in enumerate(STAGES)},
    }


def test_bytes_of_a_sample():
    images = torch.zeros((2, 3, 4, 8), dtype=torch.uint8)
    ids = torch.zeros((2, 5), dtype=torch.int32)
    assert bytes_per_sample(Batch(images, None, ids, None, ())) == 3 * 4 * 8 + 4 * 5
    regions = torch.zeros((2, 7, 4, 1), dtype=torch.uint8)
    assert bytes_per_sample(Batch(images, regions, ids, ids, ())) == 3 * 4 * 8 + 7 * 4 + 2 * 4 * 5
