"""Exports to a disk that is full."""

import pytest

from rmae.models.weights import export_detectron2, export_reference, export_timm


@pytest.mark.parametrize("export", [export_detectron2, export_reference])
@pytest.mark.parametrize("num_bytes", [100, 20_000])  # torch writes the first bytes in a way of its own
def test_a_file_without_room_is_an_error_that_names_it(make_model, tmp_path, limit_files, export, num_bytes):
    model = make_model(img_size=32)
    with limit_files(num_bytes), pytest.raises(OSError, match="File too large") as raised:
        export(model, tmp_path / "vit.pth")
    assert raised.value.filename == str(tmp_path / "vit.pth")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_room_is_an_error_that_names_the_file(make_model, tmp_path, limit_files):
    model = make_model(img_size=32)
    model.pixel_mean, model.pixel_std = (0.5,) * 3, (0.5,) * 3
    with limit_files(100), pytest.raises(OSError, match="File too large") as raised:
        export_timm(model, tmp_path / "timm")
    assert raised.value.filename.endswith("/model.safetensors")
    assert list(tmp_path.iterdir()) == []
