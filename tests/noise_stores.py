"""Region stores of three small images whose regions are noise."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from rmae.regions.store import RegionStore, StoreHeader
from rmae.regions.store_writer import PackedRegions, StoreWriter

HEADER = StoreHeader(source={"kind": "grid", "rows": 4}, channels=3, root="/data/größe", num_images=0, num_regions=0)


def label_maps(seed: int) -> np.ndarray:
    """Noise, shape (2, 12, 15) int32."""
    return np.random.default_rng(seed).integers(-1, 5, (2, 12, 15), dtype=np.int32)


MAPS = {"b/größe 1.png": label_maps(1), "a.png": label_maps(2), "b/2.png": label_maps(3)}


def write(path: Path, maps: dict[str, np.ndarray], skipped: dict[str, str] | None = None) -> RegionStore:
    with StoreWriter(path, HEADER) as writer:
        for name, regions in maps.items():
            writer.add(PackedRegions.of(name, regions))
        for name, reason in (skipped or {}).items():
            writer.skip(name, reason)
        return writer.finish()


def execute(path: Path, *statements: str) -> None:
    """Change a store as another program would."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def refusal(path: Path) -> str:
    """What a person is told who opens a file that is no good store; nothing but a ValueError is raised."""
    with pytest.raises(ValueError, match=re.escape(str(path))) as refused:
        RegionStore(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)
