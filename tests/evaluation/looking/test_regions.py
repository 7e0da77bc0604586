from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmae
from rmae.config import PretrainConfig
from rmae.config_json import config_to_json
from rmae.data.region_check import WrongRegionSource
from rmae.evaluation.looking.regions import find_regions, source_in_words, source_of_runs
from rmae.evaluation.looking.subject import Subject
from rmae.training.run_folder import SavedRun

MakeSubject = Callable[..., Subject]
IMAGE = np.zeros((60, 40, 3), np.uint8)
CONFIG = rmae.VisualizeConfig(num_regions=2)


def test_as_many_are_found_as_any_model_takes(make_subject: MakeSubject):
    subjects = [make_subject(task="mae"), make_subject(num_regions=5), make_subject()]
    found = find_regions(rmae.Grid(rows=3, columns=3), subjects, [IMAGE] * 3, "a.png", CONFIG, index=0)
    assert len(found.chosen) == 5
    assert found.maps((30, 30)).shape == (5, 30, 30)
    assert found.maps((30, 30)).sum() == 5 * 100
    assert found.reason == ""


def test_a_picture_and_a_seed_have_regions_of_their_own(make_subject: MakeSubject):
    def chosen(index: int, seed: int = 0) -> tuple:
        config = replace(CONFIG, seed=seed)
        return find_regions(rmae.Grid(), [make_subject()], [IMAGE], "a", config, index=index).chosen

    assert chosen(0) == chosen(0)
    assert len({chosen(0), chosen(1), chosen(0, seed=1)}) == 3


def test_nothing_is_asked_for_where_nothing_is_completed(make_subject: MakeSubject):
    def never(image: np.ndarray, name: str) -> np.ndarray:
        raise AssertionError

    for subject, config in (
        (make_subject(task="mae"), CONFIG),
        (make_subject()._replace(model=None), CONFIG),
        (make_subject(), replace(CONFIG, region_ratios=())),
    ):
        found = find_regions(never, [subject], [IMAGE], "a.png", config, index=0)
        assert (found.chosen, found.reason) == ((), "")
        assert found.maps((8, 9)).shape == (0, 8, 9)


def test_why_there_is_none_is_said(make_subject: MakeSubject):
    def unknown(image: np.ndarray, name: str) -> np.ndarray:
        raise ValueError(f"{name} is not listed")

    found = find_regions(unknown, [make_subject()], [IMAGE], "a.png", CONFIG, index=0)
    assert found.reason == "No regions are known of this picture: a.png is not listed."
    found = find_regions(rmae.Grid(rows=1, columns=1), [make_subject()], [IMAGE], "a.png", CONFIG, index=0)
    assert found.reason.replace("\N{NO-BREAK SPACE}", " ") == (
        "No region covers between 2 % and 80 % of this picture, so none is completed."
    )
    assert found.maps((8, 9)).shape == (0, 8, 9)


def test_the_picture_is_that_of_the_model_that_takes_regions(make_subject: MakeSubject):
    shapes = []

    def note(image: np.ndarray, name: str) -> np.ndarray:
        shapes.append(image.shape)
        return np.zeros((1, *image.shape[:2]), np.int32)

    subjects = [make_subject(task="mae", channels=1), make_subject()]
    find_regions(note, subjects, [IMAGE[..., :1], IMAGE], "a.png", CONFIG, index=0)
    assert shapes == [(60, 40, 3)]


def test_a_mistake_in_a_source_of_ones_own_is_no_note(make_subject: MakeSubject):
    with pytest.raises(WrongRegionSource):
        find_regions(lambda image, name: image, [make_subject()], [IMAGE], "a.png", CONFIG, index=0)


@pytest.mark.parametrize(
    ("of_run", "expected"),
    [
        (rmae.Slic(num_segments=(7,)), rmae.Slic(num_segments=(7,))),
        (rmae.Live(source=rmae.Grid(rows=2)), rmae.Grid(rows=2)),
        (rmae.Felzenszwalb(scales=(3,)), rmae.Felzenszwalb(scales=(3,))),
        (rmae.SamJson(folder="masks"), rmae.Felzenszwalb()),  # looked up by name
        (rmae.Stored(path="a.regions"), rmae.Felzenszwalb()),
        (rmae.Inside(), rmae.Felzenszwalb()),
        (lambda image, name: image, rmae.Felzenszwalb()),  # of which a run keeps the name alone
    ],
)
def test_regions_are_those_of_the_run_where_any_picture_has_them(
    make_subject: MakeSubject, tiny_config: PretrainConfig, of_run: Any, expected: Any
):
    config = replace(tiny_config, data=replace(tiny_config.data, regions=of_run))
    run = SavedRun(config_to_json(config), None, "", Path("config.json"))
    of_mae = make_subject(task="mae")._replace(run=run)
    assert source_of_runs([of_mae, make_subject()._replace(run=run)]) == expected
    assert source_of_runs([of_mae, make_subject()]) == rmae.Felzenszwalb()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (rmae.Felzenszwalb(scales=(100, 250.5)), "felzenszwalb, scales 100 250.5, sigma 0.8"),
        (rmae.Live(source=rmae.Grid(rows=7)), "grid, rows 7, columns 4"),
        (rmae.Stored(path="a.regions"), "Stored(path='a.regions', kind='stored')"),
    ],
)
def test_a_source_is_named_with_its_settings(source: Any, words: str):
    assert source_in_words(source) == words
