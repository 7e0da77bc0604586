from pathlib import Path

import pytest
from hypothesis import settings

from noise_stores import MAPS, write

# The same examples in every run, without a store of earlier ones; how long one takes depends on what else runs.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of three images, which two others are missing from."""
    write(tmp_path / "a.regions", MAPS, {"torn.png": "it is torn", "lost.png": "the file is missing"})
    return tmp_path / "a.regions"
