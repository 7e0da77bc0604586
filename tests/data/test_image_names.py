from pathlib import Path

import pytest

from rmae.data.image_names import as_begun, write_names
from rmae.data.image_set import ImageSet

NAMES = tuple(f"{number:02}.jpg" for number in range(40))
IMAGES = ImageSet(Path("/images"), NAMES)


@pytest.mark.parametrize("there", [NAMES, NAMES[2:], (*NAMES, "new.jpg"), (*NAMES[1:], "new.jpg")])
def test_work_goes_on_with_the_images_it_began_with(there: tuple[str, ...], tmp_path: Path):
    write_names(tmp_path / "names", IMAGES)
    listed = IMAGES._replace(names=there)
    assert as_begun(tmp_path / "names", IMAGES.fingerprint(), listed, max_bad_share=0.05) == IMAGES


@pytest.mark.parametrize("there", [NAMES[3:], ("new.jpg",)])
def test_too_many_may_not_be_gone(there: tuple[str, ...], tmp_path: Path):
    write_names(tmp_path / "names", IMAGES)
    listed = IMAGES._replace(names=there)
    assert as_begun(tmp_path / "names", IMAGES.fingerprint(), listed, max_bad_share=0.05) is None


def test_a_list_that_is_missing_or_of_other_images_does_not_count(tmp_path: Path):
    listed = IMAGES._replace(names=NAMES[1:])
    assert as_begun(tmp_path / "names", IMAGES.fingerprint(), listed, max_bad_share=0.05) is None
    write_names(tmp_path / "names", IMAGES._replace(names=NAMES[:-1]))
    assert as_begun(tmp_path / "names", IMAGES.fingerprint(), listed, max_bad_share=0.05) is None


def test_names_are_kept_whatever_they_are(tmp_path: Path):
    images = IMAGES._replace(names=("a\nb.jpg", "caf\udce9.jpg", "\u2028.jpg"))
    write_names(tmp_path / "names", images)
    assert as_begun(tmp_path / "names", images.fingerprint(), images._replace(names=()), max_bad_share=1) == images


@pytest.mark.parametrize("damaged", [b"\xff\n", b'"a.jpg\n', b"[]\n", b'"a.jpg"\n7\n', b"[" * 100_000])
def test_a_damaged_list_does_not_count(damaged: bytes, tmp_path: Path):
    (tmp_path / "names").write_bytes(damaged)
    assert as_begun(tmp_path / "names", IMAGES.fingerprint(), IMAGES, max_bad_share=0.05) is None
