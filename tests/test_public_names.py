import importlib
import subprocess
import sys
from typing import get_args

import pytest

import rmae
from rmae.regions.live import Live
from rmae.regions.sources import NamedSource
from rmae.regions.stored import Stored


@pytest.mark.parametrize("name", rmae.__all__)
def test_public_name_is_what_its_home_calls_it(name: str):
    found = getattr(rmae, name)

    assert found is getattr(importlib.import_module(rmae._HOMES[name]), name)


def test_every_name_with_a_home_is_public():
    assert sorted(rmae.__all__) == sorted(rmae._HOMES)
    assert len(rmae.__all__) == len(set(rmae.__all__))


def test_every_source_of_regions_is_public():
    for source in (*get_args(NamedSource), Live, Stored):
        assert getattr(rmae, source.__name__) is source


@pytest.mark.parametrize("name", [name for name in rmae.__all__ if name != "PRESETS"])
def test_public_names_are_documented(name: str):
    first_line = (getattr(rmae, name).__doc__ or "").partition("\n")[0]
    assert first_line.endswith(".")
    assert not first_line.startswith(f"{name}(")  # as of dataclasses and named tuples without words of their own


def test_dir_lists_the_public_names():
    assert set(rmae.__all__) <= set(dir(rmae))


def test_star_import_brings_all_public_names():
    namespace: dict[str, object] = {}
    exec("from rmae import *", namespace)

    assert set(rmae.__all__) <= namespace.keys()


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'rmae' has no attribute 'pretrane'$"):
        rmae.pretrane  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
    assert not hasattr(rmae, "nothing")


def test_configurations_are_had_without_torch():
    program = "import sys, rmae; rmae.preset('demo'); rmae.PretrainConfig(); sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
