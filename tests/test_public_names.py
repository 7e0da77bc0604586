import importlib
import subprocess
import sys

import pytest

import rmae


@pytest.mark.parametrize("name", rmae.__all__)
def test_public_name_is_what_its_home_calls_it(name: str):
    found = getattr(rmae, name)

    assert found is getattr(importlib.import_module(rmae._HOMES[name]), name)


def test_every_name_with_a_home_is_public():
    assert sorted(rmae.__all__) == sorted(rmae._HOMES)
    assert len(rmae.__all__) == len(set(rmae.__all__))


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
