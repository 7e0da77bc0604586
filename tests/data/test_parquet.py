import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from encoded_pictures import encode
from rmae.data.parquet import ParquetImages, parquet_files, split_parquet_files

Open = Callable[..., ParquetImages]


def picture(value: int) -> Image.Image:
    return Image.new("RGB", (4, 3), (value, value, value))


def write_hub_file(path: Path, values: Sequence[int], *, rows_in_group: int = 1000) -> Path:
    """A file as the datasets library writes it: images with a label."""
    path.parent.mkdir(exist_ok=True)
    columns = {"label": list(values), "image": [picture(value) for value in values]}
    with_images = datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image())
    with_images.to_parquet(path, batch_size=rows_in_group)
    return path


def write(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def declare(path: Path, features: dict[str, Any]) -> Path:
    """Note features in a file, as the datasets library does."""
    table = pq.read_table(path)
    wanted = datasets.Features(features).arrow_schema
    pq.write_table(table.replace_schema_metadata(wanted.metadata), path)
    return path


def value_of(images: ParquetImages, name: str) -> int:
    """What `picture` was given."""
    with Image.open(images.open(name)) as image:
        assert image.size == (4, 3)
        return int(np.asarray(image)[0, 0, 0])


class TestFiles:
    def test_files_of_the_folder_come_in_the_order_of_their_images(self, tmp_path: Path):
        for name in ("b.parquet", "a.parquet", "a.x.parquet", "a-1.PARQUET", ".hidden.parquet", "c.txt"):
            (tmp_path / name).touch()
        (tmp_path / "folder.parquet").mkdir()
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "train.parquet").touch()
        files = parquet_files(tmp_path)
        assert [path.name for path in files] == ["a-1.PARQUET", "a.x.parquet", "a.parquet", "b.parquet"]
        assert [path.stem + "/" for path in files] == sorted(path.stem + "/" for path in files)

    def test_files_may_lie_in_data(self, tmp_path: Path):
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "train-0.parquet").touch()
        assert parquet_files(tmp_path) == (tmp_path / "data" / "train-0.parquet",)

    def test_there_may_be_none(self, tmp_path: Path):
        (tmp_path / "a.png").touch()
        assert parquet_files(tmp_path) == ()
        assert parquet_files(tmp_path / "missing") == ()

    @pytest.mark.parametrize(
        ("names", "training", "validation"),
        [
            ("train-1 validation-0 test-0 train-0 extra", "train-0 train-1", "validation-0"),
            ("0001 0000 val-0 test", "0000 0001", "val-0"),
            ("pictures", "pictures", ""),
        ],
    )
    def test_splits_are_told_by_names(self, names: str, training: str, validation: str):
        split = split_parquet_files([Path("data", f"{name}.parquet") for name in names.split()])
        assert split == tuple(
            tuple(Path("data", f"{name}.parquet") for name in part.split()) for part in (training, validation)
        )

    def test_a_data_set_without_training_files_is_refused(self):
        with pytest.raises(
            ValueError, match=r"only test-0\.parquet, validation-0\.parquet; names of files to train on"
        ):
            split_parquet_files([Path("validation-0.parquet"), Path("test-0.parquet")])


class TestOpen:
    def test_every_image_has_its_name(self, tmp_path: Path, open_images: Open):
        """More rows than are kept together, in groups that end elsewhere, with one over, and a file without rows."""
        second = write_hub_file(tmp_path / "train-1.parquet", [250, 251])
        nothing = write_hub_file(tmp_path / "train-01.parquet", [])
        first = write_hub_file(tmp_path / "train-0.parquet", range(201), rows_in_group=130)
        before = write_hub_file(tmp_path / "train-0.z.parquet", [249])
        images = open_images(second, nothing, first, before)
        names = ["train-0.z/000000000", *(f"train-0/{row:09d}" for row in range(201))]
        names += ["train-1/000000000", "train-1/000000001"]
        assert list(images.names) == names == sorted(names)
        order = np.random.default_rng(0).permutation(len(names))
        values = {names[i]: value_of(images, names[i]) for i in order}
        assert [values[name] for name in names] == [249, *range(201), 250, 251]

    @pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.struct({"bytes": pa.large_binary()})])
    def test_bytes_come_back_as_they_are(self, tmp_path: Path, open_images: Open, kind: pa.DataType):
        encoded = [encode(picture(i), "JPEG") for i in range(3)] + [b"damaged"]
        rows = [{"bytes": row} for row in encoded] if pa.types.is_struct(kind) else encoded
        images = open_images(write(tmp_path / "a.parquet", photo=pa.array(rows, kind), text=list("abcd")))
        assert [images.open(name).read() for name in images.names] == encoded

    def test_other_columns_are_left_out(self, tmp_path: Path, open_images: Open):
        large = [os.urandom(100_000).hex()]
        open_images(write(tmp_path / "a.parquet", image=[encode(picture(0))], text=large))
        assert sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.arrow")) < 10_000

    def test_a_row_without_image_is_a_missing_file(self, tmp_path: Path, open_images: Open):
        rows = [None, {"bytes": None, "path": "a.jpg"}, {"bytes": None, "path": None}, {"bytes": None, "path": ""}]
        images = open_images(write(tmp_path / "a.parquet", image=[*rows, {"bytes": b"1", "path": "b.jpg"}]))
        assert len(images.names) == 5
        for row, hint in enumerate(["", r", only its path a\.jpg", "", ""]):
            with pytest.raises(FileNotFoundError, match=f"the image {images.names[row]} is not in .*file{hint}$"):
                images.open(images.names[row])
        assert images.open(images.names[4]).read() == b"1"

    def test_a_path_need_not_be_text(self, tmp_path: Path, open_images: Open):
        paths = pa.array([b"\xf9.jpg", b"\xf9.jpg"]).view(pa.string())
        cells = pa.StructArray.from_arrays([pa.array([b"1", None]), paths], ["bytes", "path"])
        images = open_images(write(tmp_path / "a.parquet", image=cells))
        assert images.open(images.names[0]).read() == b"1"
        with pytest.raises(FileNotFoundError, match=r"only its path [^a-z]\.jpg$"):
            images.open(images.names[1])

    @pytest.mark.parametrize(
        "name", ["", "a", "a/0", "a/000000002", "a/-00000001", "a/00000000x", "b/000000000", "a/000000000/", "0"]
    )
    def test_an_unknown_name_is_a_missing_file(self, tmp_path: Path, open_images: Open, name: str):
        images = open_images(write(tmp_path / "a.parquet", image=[b"0", b"1"]))
        with pytest.raises(FileNotFoundError, match="there is no image"):
            images.open(name)

    def test_folders_may_have_any_name(self, tmp_path: Path, open_images: Open):
        path = write_hub_file(tmp_path / "a [0] * {x} ü#" / "train [1].parquet", [7])
        images = open_images(path)
        assert images.names == ("train [1]/000000000",)
        assert value_of(images, images.names[0]) == 7

    def test_forked_processes_read_the_same(self, tmp_path: Path, open_images: Open):
        images = open_images(write_hub_file(tmp_path / "a.parquet", range(120)))
        assert value_of(images, images.names[3]) == 3
        with multiprocessing.get_context("fork").Pool(2, _receive, (images,)) as pool:
            values = pool.map(_value_in_child, images.names)
        assert values == list(range(120))

    def test_a_pickle_is_small_and_opens_the_same_files(self, tmp_path: Path, open_images: Open):
        path = write(tmp_path / "a.parquet", image=[os.urandom(100_000)], map=[encode(np.zeros((2, 2), np.uint8))])
        images = open_images(path, regions_column="map")
        pickled = pickle.dumps(images)
        assert len(pickled) < 2000
        again = pickle.loads(pickled)
        assert again.names == images.names
        assert again.open(again.names[0]).read() == images.open(images.names[0]).read()
        assert again.regions(again.names[0]).label_maps().shape == (1, 2, 2)


_images_of_child: ParquetImages


def _receive(images: ParquetImages) -> None:
    global _images_of_child
    _images_of_child = images


def _value_in_child(name: str) -> int:
    return value_of(_images_of_child, name)


class TestImageColumn:
    @pytest.mark.parametrize("names", ["image embedding", "webp img", "thumbnail png jpg", "a b jpg"])
    def test_of_several_columns_the_name_decides(self, tmp_path: Path, open_images: Open, names: str):
        chosen = {"image embedding": "image", "webp img": "img"}.get(names, "jpg")
        columns = {name: [name.encode()] for name in names.split()}
        images = open_images(write(tmp_path / "a.parquet", **columns))
        assert images.open(images.names[0]).read() == chosen.encode()

    def test_the_column_of_label_maps_is_none_of_images(self, tmp_path: Path, open_images: Open):
        path = write(tmp_path / "a.parquet", image=[encode(np.zeros((2, 2), np.uint8))], photo=[b"photo"])
        images = open_images(path, regions_column="image")
        assert images.open(images.names[0]).read() == b"photo"
        assert images.regions(images.names[0]).label_maps().shape == (1, 2, 2)

    def test_a_declared_column_is_certain(self, tmp_path: Path, open_images: Open):
        cell = {"bytes": b"photo", "path": "a"}
        path = write(tmp_path / "a.parquet", embedding=[b"embedding"], photo=[cell])
        declare(path, {"embedding": datasets.Value("binary"), "photo": datasets.Image()})
        images = open_images(path)
        assert images.open(images.names[0]).read() == b"photo"

    def test_sounds_are_no_images(self, tmp_path: Path, open_images: Open):
        path = write(tmp_path / "a.parquet", sound=[{"bytes": b"sound", "path": "a"}], photo=[b"photo"])
        declare(path, {"sound": datasets.Audio(), "photo": datasets.Value("binary")})
        images = open_images(path)
        assert images.open(images.names[0]).read() == b"photo"

    def test_several_that_could_be_it_are_refused(self, tmp_path: Path, open_images: Open):
        path = write(tmp_path / "a.parquet", left=[b"0"], right=[b"0"], label=[1])
        with pytest.raises(
            ValueError, match=r"left, right; rename the column that holds the images to image; .*label \(int64\)"
        ):
            open_images(path)

    def test_a_file_without_images_is_refused(self, tmp_path: Path, open_images: Open):
        meta = [{"bytes": b"0", "rate": 8}]
        with pytest.raises(ValueError, match=r"no column of images, .* its columns are text \(string\), meta"):
            open_images(write(tmp_path / "a.parquet", text=["x"], meta=meta))

    @pytest.mark.parametrize("noted", [b"no JSON", b"[]", b'{"info": {"features": {"image": null}}}'])
    def test_odd_notes_in_a_file_do_not_matter(self, tmp_path: Path, open_images: Open, noted: bytes):
        path = write(tmp_path / "a.parquet", image=[b"0"])
        pq.write_table(pq.read_table(path).replace_schema_metadata({b"huggingface": noted}), path)
        assert len(open_images(path).names) == 1


class TestConversion:
    def test_it_happens_once_and_says_so(self, tmp_path: Path, open_images: Open, capfd: pytest.CaptureFixture[str]):
        path = write_hub_file(tmp_path / "photos" / "a.parquet", [1, 2])
        capfd.readouterr()
        open_images(path)
        captured = capfd.readouterr()
        assert captured.out == f"converting {path.parent} once (2 images, 0.0 GB), kept in {tmp_path / 'cache'}\n"
        assert captured.err == ""
        assert value_of(open_images(path), "a/000000001") == 2
        assert capfd.readouterr() == ("", "")

    def test_another_process_finds_what_was_converted(self, tmp_path: Path, open_images: Open):
        path = write(tmp_path / "a.parquet", image=[b"0"])
        open_images(path)
        script = f"from rmae.data.parquet import *\nParquetImages([Path({str(path)!r})])"
        environment = os.environ | {"HF_DATASETS_CACHE": str(tmp_path / "cache"), "PYTHONHASHSEED": "7"}
        process = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        assert (process.returncode, process.stdout, process.stderr) == (0, "", "")

    def test_a_path_from_here_is_the_same_file(
        self,
        tmp_path: Path,
        open_images: Open,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ):
        open_images(write(tmp_path / "a.parquet", image=[b"0"]))
        capfd.readouterr()
        monkeypatch.chdir(tmp_path)
        open_images(Path("a.parquet"))
        assert capfd.readouterr().out == ""

    def test_a_changed_file_is_converted_anew(self, tmp_path: Path, open_images: Open):
        path = write(tmp_path / "a.parquet", image=[b"0"])
        assert open_images(path).open("a/000000000").read() == b"0"
        write(path, image=[b"1", b"2"])
        assert open_images(path).open("a/000000001").read() == b"2"

    @pytest.mark.parametrize("hidden", [False, True])
    def test_progress_bars_stay_as_the_user_has_set_them(self, tmp_path: Path, open_images: Open, hidden: bool):
        if hidden:
            datasets.disable_progress_bars()
        try:
            open_images(write(tmp_path / "a.parquet", image=[b"0"]))
            assert datasets.are_progress_bars_disabled() == hidden
        finally:
            datasets.enable_progress_bars()

    def test_a_full_disk_is_told_before(self, tmp_path: Path, open_images: Open, monkeypatch: pytest.MonkeyPatch):
        path = write(tmp_path / "a.parquet", image=[os.urandom(300_000)])
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=200_000))
        with pytest.raises(
            ValueError, match=r"need up to 0\.0 GB in .*cache, where only 0\.0 GB are free; set HF_HOME"
        ):
            open_images(path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=400_000))
        assert len(open_images(path).names) == 1

    def test_a_cache_that_cannot_be_written_is_told(self, tmp_path: Path, open_images: Open):
        (tmp_path / "cache").touch()
        with pytest.raises(ValueError, match=r"a\.parquet cannot be converted into .*cache \("):
            open_images(write(tmp_path / "a.parquet", image=[b"0"]))

    def test_damage_among_the_images_is_told(self, tmp_path: Path, open_images: Open):
        path = write(tmp_path / "a.parquet", image=[os.urandom(1000) for _ in range(10)])
        damaged = bytearray(path.read_bytes())
        damaged[4:2000] = bytes(1996)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.parquet cannot be converted into .*cache \(.+\)$"):
            open_images(path)

    def test_what_is_no_parquet_file_is_told(self, tmp_path: Path, open_images: Open):
        (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
        with pytest.raises(ValueError, match=r"a\.parquet cannot be read as a Parquet file \([^\n]+\)$"):
            open_images(tmp_path / "a.parquet")
        with pytest.raises(ValueError, match=r"b\.parquet cannot be read as a Parquet file \(.*No such file"):
            open_images(tmp_path / "b.parquet")

    @pytest.mark.parametrize("column", ["caption", "nested"])
    def test_a_name_that_is_no_text_is_told(self, tmp_path: Path, open_images: Open, column: str):
        table = pa.table({"image": [b"0"], "nested": [{"caption": 1}]} if column == "nested" else {column: [1]})
        pq.write_table(table, tmp_path / "a.parquet", store_schema=False)
        damaged = (tmp_path / "a.parquet").read_bytes().replace(b"caption", b"cap\xf9ion")
        (tmp_path / "a.parquet").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.parquet cannot be read as a Parquet file \(.utf-8. codec"):
            open_images(tmp_path / "a.parquet")

    def test_files_must_be_alike(self, tmp_path: Path, open_images: Open):
        first = write(tmp_path / "a.parquet", image=[b"0"])
        with pytest.raises(ValueError, match=r"b\.parquet must have one column 'image', since .*a\.parquet has it"):
            open_images(first, write(tmp_path / "b.parquet", photo=[b"0"]))
        with pytest.raises(ValueError, match=r"'image' is of type string in .*c\.parquet, but binary in .*a\.parquet"):
            open_images(first, write(tmp_path / "c.parquet", image=["0"]))

    def test_files_must_differ_in_their_names(self, tmp_path: Path, open_images: Open):
        files = [write(tmp_path / folder / "a.parquet", image=[b"0"]) for folder in ("x", "y")]
        with pytest.raises(ValueError, match=r"must differ in their names.*\['a', 'a'\]"):
            open_images(*files)

    def test_no_file_and_no_row_are_refused(self, tmp_path: Path, open_images: Open):
        with pytest.raises(ValueError, match="no Parquet file is given"):
            open_images()
        with pytest.raises(ValueError, match=r"no image in .*a\.parquet: no file has a row"):
            open_images(write(tmp_path / "a.parquet", image=pa.array([], pa.binary())))

    def test_a_missing_library_is_named(self, tmp_path: Path, open_images: Open, monkeypatch: pytest.MonkeyPatch):
        path = write(tmp_path / "a.parquet", image=[b"0"])
        monkeypatch.setitem(sys.modules, "datasets", None)
        with pytest.raises(ValueError, match=r"pip install 'rmae\[datasets\]'"):
            open_images(path)
