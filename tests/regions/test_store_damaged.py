"""A damaged store gives the right regions or a sentence that names it, never wrong regions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noise_stores import MAPS, execute, label_maps, refusal, write
from rmae.regions.store import RegionStore


def test_a_truncated_store_is_refused_at_every_length(path: Path):
    content = path.read_bytes()
    for length in [*range(100), *range(100, len(content), 37), len(content) - 1]:
        path.write_bytes(content[:length])
        said = refusal(path)
        if length >= 100:
            assert said.endswith(
                f"is cut short: it has {length:,} of {len(content):,} bytes; copy it again or make the store anew"
            )


def num_refused(path: Path) -> int:
    """Read all of a damaged store: what is not refused, with a ValueError that names the file, must be right."""
    said = []

    def ask(question: Callable[[], Any]) -> Any:
        try:
            return question()
        except ValueError as error:
            said.append(str(error))
            return None

    store = ask(lambda: RegionStore(path))
    if store is not None:
        for name, expected in MAPS.items():
            runs = ask(lambda name=name: store.read(name))
            if runs is not None:
                np.testing.assert_array_equal(runs.label_maps(), expected, strict=True)
        for question in (store.names, store.skipped, lambda: sorted(store.names()), lambda: list(store)):
            ask(question)
    assert [sentence for sentence in said if str(path) not in sentence] == []
    return len(said)


@pytest.mark.parametrize("step", [31, pytest.param(1, marks=pytest.mark.slow)])
def test_no_damaged_byte_gives_wrong_regions(step: int, path: Path):
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), step):
        damaged = bytearray(content)
        damaged[place] ^= 255 if place % 2 else 1 << place // 2 % 8  # the whole byte and one bit in turn
        path.write_bytes(damaged)
        refused += num_refused(path) > 0
    assert refused > 0.05 * len(content) / step


@pytest.mark.parametrize("kind", ["zeros", "ones", "noise", "another page"])
def test_no_damaged_page_gives_wrong_regions(kind: str, path: Path):
    content = path.read_bytes()
    size = 2048
    for start in range(0, len(content), size):
        other = (start + size) % len(content)
        page = {
            "zeros": bytes(size),
            "ones": b"\xff" * size,
            "noise": np.random.default_rng(start).bytes(size),
            "another page": content[other : other + size],
        }[kind]
        path.write_bytes(content[:start] + page + content[start + size :])
        assert num_refused(path) > 0


def test_an_index_that_leads_to_another_image_is_noticed(tmp_path: Path):
    maps = {name: label_maps(seed)[:1] for seed, name in enumerate(("a.png", "b.png", "c.png"))}
    path = write(tmp_path / "a.regions", maps).path
    content = path.read_bytes()
    assert content.count(b"b.png\x02") == 1  # in the index: the second row
    path.write_bytes(content.replace(b"b.png\x02", b"b.png\x03"))
    store = RegionStore(path)
    np.testing.assert_array_equal(store.read("c.png").label_maps(), maps["c.png"])
    with pytest.raises(ValueError, match=r"the regions of b\.png in .* are damaged: something else stands in their pl"):
        store.read("b.png")


@pytest.mark.parametrize(
    "change",
    [
        "runs = 'text'",
        "runs = x''",
        "height = 11",
        "num_maps = -2",
        "num_maps = 2.5",
        "width = 'x'",
        "height = 1 << 60",
    ],
)
def test_values_that_do_not_fit_are_refused(change: str, path: Path):
    execute(path, f"UPDATE images SET {change} WHERE name = 'a.png'")
    with pytest.raises(ValueError, match=r"^the regions of a\.png in .* are damaged: .*; make the store anew$"):
        RegionStore(path).read("a.png")
    np.testing.assert_array_equal(RegionStore(path).read("b/2.png").label_maps(), MAPS["b/2.png"])


def test_a_name_that_is_no_text_is_refused(path: Path):
    execute(path, "UPDATE images SET name = x'ff' WHERE name = 'a.png'")
    for ask in (RegionStore.names, list):
        with pytest.raises(
            ValueError, match=r"is no region store, or a damaged one \(a name is no text\); make the st"
        ):
            ask(RegionStore(path))
