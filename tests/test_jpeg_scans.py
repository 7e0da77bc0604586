import io

import numpy as np
import pytest

from encoded_pictures import encode
from rmae.data.images import read_image
from rmae.jpeg_scans import MOST_SCANS, has_endless_scans
from rmae.scenes.picture_files import decode

SCAN, END = b"\xff\xda", b"\xff\xd9"
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
PHOTOGRAPHS = {
    "baseline": encode(NOISE, "JPEG"),
    "progressive": encode(NOISE, "JPEG", progressive=True),
    "restarts": encode(NOISE, "JPEG", restart_marker_blocks=1),
    "thumbnail": encode(NOISE, "JPEG", exif=b"Exif\0\0" + SCAN * 600),
    "comment": encode(NOISE, "JPEG", comment=END + SCAN * 600),
}


def with_scans(photograph: bytes, num: int) -> bytes:
    """A JPEG in which the last scan comes as often again."""
    last = photograph[photograph.rindex(SCAN) : -2]
    return photograph[:-2] + num * last + END


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_only_scans_of_the_photograph_itself_count(name: str, tmp_path):
    photograph = PHOTOGRAPHS[name]
    trailer = b"\0\0\0\x18ftypmp42" + 591 * (SCAN + b"\0\x08video")
    (tmp_path / "a.jpg").write_bytes(photograph + trailer)
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.jpg", channels=3, max_pixels=10_000),
        read_image(io.BytesIO(photograph), channels=3, max_pixels=10_000),
    )
    assert decode(tmp_path / "a.jpg")[0].size == (64, 64)
    assert has_endless_scans(with_scans(photograph, 600) + trailer)


def test_as_many_scans_as_are_allowed():
    first = PHOTOGRAPHS["baseline"]
    assert not has_endless_scans(with_scans(first, MOST_SCANS - 1) + SCAN)
    assert has_endless_scans(with_scans(first, MOST_SCANS))


@pytest.mark.parametrize(
    "disguise", [b"\xff", b"\xff\x02\xff\xff", b"\xff\xd3", b"\xff\x01\xff\xff", b"\xff\0\xd9", b"rest"]
)
def test_scans_are_found_behind_what_a_decoder_passes_over(disguise: bytes):
    """Filling bytes, restarts, and markers that are none: none of them has a length, whatever stands behind it."""
    header = PHOTOGRAPHS["baseline"].partition(SCAN)[0]
    scans = 501 * (disguise + SCAN + b"\0\x08\1\1\0\0\x3f\0")
    assert has_endless_scans(header + scans + END)


def test_a_photograph_that_is_cut_short_is_looked_through_to_its_end():
    whole = with_scans(PHOTOGRAPHS["baseline"], 600)
    assert has_endless_scans(whole[:-2])
    for length in range(len(PHOTOGRAPHS["thumbnail"])):
        assert not has_endless_scans(PHOTOGRAPHS["thumbnail"][:length])
