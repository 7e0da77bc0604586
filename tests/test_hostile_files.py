"""Files that mean harm: they are refused in one sentence, and nothing comes of them."""

import io
import json
import os
import pickle
import sqlite3
import struct
import tarfile
import time
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import rmae
from encoded_pictures import png_of
from rmae.config.encoder import EncoderConfig
from rmae.data.images import UnreadableImage, read_image
from rmae.data.parquet import ParquetImages
from rmae.data.shard_writer import ShardWriter, read_part
from rmae.evaluation.encoder import open_encoder
from rmae.evaluation.segmentation.semantic_pngs import SemanticPngs
from rmae.regions.coco_instances import CocoInstances
from rmae.regions.coco_panoptic import CocoPanoptic
from rmae.regions.label_runs import LabelRuns
from rmae.regions.sam_json import SamJson
from rmae.regions.store import RegionStore, StoreHeader
from rmae.regions.store_writer import PackedRegions, StoreWriter
from rmae.scenes.picture_files import UnreadablePicture, decode, find_pictures

MAPS = np.zeros((1, 4, 6), np.int32)
IMAGE = np.zeros((4, 6, 3), np.uint8)


# Bombs: little that says it is much


def png(width: int, height: int, *further: tuple[bytes, bytes]) -> bytes:
    """A PNG of one bit a pixel that has no pixels; its header says how many there are."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return png_of([(b"IHDR", head), *further, (b"IDAT", zlib.compress(b"")), (b"IEND", b"")])


def webp(width: int, height: int) -> bytes:
    """A WebP of two small frames on a large canvas, which a decoder would fill."""
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (4, 4), shade) for shade in ("black", "red")]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    content = bytearray(buffer.getvalue())
    place = content.index(b"VP8X") + 12
    content[place : place + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(content)


BOMBS = {
    "png": (png(9000, 9000), "more than the 80,000,000 allowed"),
    "huge png": (png(2**31 - 1, 2**31 - 1), "more than the 80,000,000"),
    "png with text": (png(4, 4, (b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000)))), "cannot be decoded"),
    "webp": (webp(16383, 16383), "more than the 80,000,000 pixels allowed"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_before_they_are_unpacked(name: str, tmp_path: Path):
    content, sentence = BOMBS[name]
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnreadableImage, match=sentence):
        read_image(tmp_path / "a.png", channels=3, max_pixels=80_000_000)
    with pytest.raises(UnreadablePicture, match=r"a\.png cannot be read"):
        decode(tmp_path / "a.png")


def test_jpegs_of_endless_scans_are_refused(tmp_path: Path):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(
        buffer, "JPEG", progressive=True
    )
    content = buffer.getvalue()
    last = content[content.rindex(b"\xff\xda") : -2]
    assert read_image(io.BytesIO(content), channels=1, max_pixels=10_000).shape == (64, 64, 1)
    endless = content[:-2] + 1000 * last + content[-2:]
    with pytest.raises(UnreadableImage, match=r"it has more than the 500 scans allowed"):
        read_image(io.BytesIO(endless), channels=1, max_pixels=10_000)
    (tmp_path / "a.jpg").write_bytes(endless)
    with pytest.raises(UnreadablePicture, match=r"a\.jpg cannot be read \(ValueError: it has more than the 500 scans"):
        decode(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["png", "huge png", "png with text"])
def test_bombs_among_labels_are_unreadable_pictures(name: str, tmp_path: Path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.png").write_bytes(BOMBS[name][0])
    labels = SemanticPngs(
        root=tmp_path, images_folder="images", folder="labels", ignore_label=None, num_classes=3, max_pixels=10_000
    )
    with pytest.raises(UnreadableImage, match=r"labels/a\.png (has .* pixels, more than|cannot be decoded)"):
        labels("images/a.jpg", (4, 4))


def frame_of(size: int) -> bytes:
    """The beginning of a zstandard frame that says how large its content is."""
    return b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little") + b"\1\0\0"


def test_packed_regions_that_claim_gigabytes_are_refused_whatever_their_shape():
    with pytest.raises(ValueError, match=r"its bytes are of more than the 268,435,456 numbers that are allowed"):
        LabelRuns.unpack(frame_of(2**31), num_maps=2**20, height=2**10, width=2**10)


def false_row_count(content: bytes) -> bytes:
    """A Parquet file of 3 rows whose footer says that it has 4, in sum alone."""
    size = int.from_bytes(content[-8:-4], "little")
    for place in range(len(content) - 8 - size, len(content) - 8):
        changed = content[:place] + bytes([8]) + content[place + 1 :]
        if content[place] != 6:  # the number 3 as thrift has it
            continue
        try:
            footer = pq.read_metadata(io.BytesIO(changed))
        except (OSError, pa.ArrowException):
            continue
        if footer.num_rows == 4 and sum(footer.row_group(i).num_rows for i in range(footer.num_row_groups)) == 3:
            return changed
    raise AssertionError


def test_a_parquet_file_with_a_false_number_of_rows_is_refused(tmp_path: Path):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3)).save(buffer, "PNG")
    pq.write_table(pa.table({"image": [buffer.getvalue()] * 3}), tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes(false_row_count((tmp_path / "a.parquet").read_bytes()))
    with pytest.raises(ValueError, match=r"a\.parquet"):
        ParquetImages([tmp_path / "a.parquet"], cache_dir=tmp_path / "cache")


def test_what_chunks_of_a_parquet_file_call_their_column_does_not_matter(tmp_path: Path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [b"0"]}), path)
    before, name, after = path.read_bytes().rpartition(b"image")  # the last one is a chunk's; the schema is before it
    path.write_bytes(before + name.replace(b"m", b"\x80") + after)
    assert pq.read_schema(path).names == ["image"]
    assert ParquetImages([path], cache_dir=tmp_path / "cache").open("a/000000000").read() == b"0"


# Programs


class Program:
    """Unpickled, it makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.file,)


def as_zip(program: Program) -> bytes:
    buffer = io.BytesIO()
    torch.save({"model": {"a": program}}, buffer)
    return buffer.getvalue()


def as_old_file(program: Program) -> bytes:
    buffer = io.BytesIO()
    torch.save({"model": {"a": program}}, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def as_old_tar(program: Program) -> bytes:
    """The form of torch before 0.1.10."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("storages", "tensors", "pickle"):
            content = pickle.dumps(program)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


FORMS = [as_zip, as_old_file, as_old_tar, pickle.dumps]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".ckpt"])
def test_no_file_of_weights_runs_a_program(form: Any, suffix: str, tmp_path: Path):
    proof = tmp_path / "proof"
    content = form(Program(proof))
    (tmp_path / f"a{suffix}").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\{suffix} cannot be read as a file of weights alone: ") as found:
        rmae.load(tmp_path / f"a{suffix}")
    assert "weights_only" not in str(found.value)  # how to run it is no advice
    assert not proof.exists()
    if form is not as_old_tar:
        pickle.loads(content) if form is pickle.dumps else torch.load(tmp_path / f"a{suffix}", weights_only=False)
        assert proof.exists()  # it would have


FOLDERS = {
    "timm": {"architecture": "vit_tiny_patch16_224", "model_args": {"depth": 1}, "num_features": 192},
    "transformers": {"model_type": "vit"},
}


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize("weights", ["pytorch_model.bin", "model.pth"])
def test_no_folder_of_weights_runs_a_program(kind: str, weights: str, tmp_path: Path):
    proof, folder = tmp_path / "proof", tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(FOLDERS[kind]))
    (folder / weights).write_bytes(as_zip(Program(proof)))
    for read in (rmae.load, lambda path: open_encoder(path, EncoderConfig(), seed=0)):
        with pytest.raises(ValueError, match=r"cannot be read as a file of weights alone|holds no weights"):
            read(folder)
    assert not proof.exists()


def make_store(folder: Path) -> Path:
    header = StoreHeader(source={"kind": "grid"}, channels=3, root="/data", num_images=0, num_regions=0)
    with StoreWriter(folder / "a.regions", header) as writer:
        writer.add(PackedRegions.of("a.png", MAPS))
        writer.finish()
    return folder / "a.regions"


ENDLESS = "CREATE VIEW images AS WITH RECURSIVE n(name) AS (SELECT 1 UNION ALL SELECT name FROM n) SELECT * FROM n"
COMPUTED = "CREATE TABLE images (name TEXT, num_maps, height, width, runs AS (zeroblob(2000000000)))"


@pytest.mark.parametrize("statement", [ENDLESS, COMPUTED, "CREATE TABLE images (a)"])
def test_a_store_that_is_a_program_is_refused(statement: str, tmp_path: Path):
    path = make_store(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE images")
        connection.execute(statement)
        connection.commit()
    with pytest.raises(ValueError, match=r"a\.regions is no region store, or a damaged one \(it holds other tables\)"):
        RegionStore(path)


# Networks without end


def test_a_configuration_that_asks_for_any_amount_of_memory_is_refused_at_once(tmp_path: Path):
    config = rmae.ModelConfig(img_size=32, patch_size=16, embed_dim=8, depth=1, num_heads=2, task="mae",
                              decoder_embed_dim=8, decoder_depth=1, decoder_num_heads=2)  # fmt: skip
    rmae.build_model(config).save_pretrained(tmp_path / "model")
    settings = tmp_path / "model" / "config.json"
    saved = json.loads(settings.read_text())
    started = time.process_time()
    for knob, value in (
        ("embed_dim", 400_000),
        ("decoder_embed_dim", 800_000),
        ("img_size", 80_000),
        ("depth", 10**9),
    ):
        settings.write_text(json.dumps({**saved, "model": {**saved["model"], knob: value}}))
        with pytest.raises(ValueError, match=r"this model needs|at most 200"):
            rmae.load(tmp_path / "model")
    assert time.process_time() - started < 20


# Ways out of a folder


@pytest.mark.parametrize(
    "name",
    [
        "../../a.png",
        "/etc/passwd",
        "a/../../b.png",
        "a\0.png",
        "x" * 300,
        "a/" * 2000 + "a",
        "\ud800.png",
        "\x1b[2J.png",
    ],
)
def test_annotations_name_no_file_outside_of_their_folder(name: str, tmp_path: Path):
    image = {"id": 1, "file_name": name, "height": 4, "width": 6}
    annotation = {"image_id": 1, "file_name": name, "segments_info": [{"id": 1, "category_id": 1}]}
    instances = {"images": [image], "annotations": []}
    panoptic = {"images": [image | {"file_name": "a.png"}], "annotations": [annotation]}
    (tmp_path / "i.json").write_text(json.dumps(instances))
    (tmp_path / "p.json").write_text(json.dumps(panoptic))
    sentence = (
        "(leads out of the folder; give paths inside of it|; correct it|holds control characters; rename the file)"
    )
    with pytest.raises(ValueError, match=rf"i\.json is not an annotation file in COCO's form: .*name .*{sentence}"):
        CocoInstances(annotations=(str(tmp_path / "i.json"),))(IMAGE, "a.png")
    with pytest.raises(ValueError, match=rf"p\.json is not an annotation file in COCO's form: .*name .*{sentence}"):
        CocoPanoptic(annotations=str(tmp_path / "p.json"))(IMAGE, "a.png")


def test_members_of_a_tar_are_never_unpacked(tmp_path: Path):
    """Names, links and devices in a shard that was not finished lead nowhere: it is read by places alone."""
    folder = tmp_path / "shards"
    folder.mkdir()
    with tarfile.open(folder / "shard-000000.tar.partial", "w") as tar:
        for name, kind in (
            ("../out.jpg", tarfile.REGTYPE), (f"{tmp_path}/absolute.jpg", tarfile.REGTYPE),
            ("link.jpg", tarfile.SYMTYPE), ("hard.jpg", tarfile.LNKTYPE), ("pipe.jpg", tarfile.FIFOTYPE),
            ("out.json", tarfile.REGTYPE),
        ):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            member.size = 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b"1234"))
    before = sorted(path.as_posix() for path in tmp_path.rglob("*"))
    with ShardWriter(folder, 0, {}) as writer:
        assert writer.names == frozenset()
        writer.finish()
    part = read_part(folder, 0)
    assert part is not None
    assert part.names == ()
    left = sorted(path.as_posix() for path in tmp_path.rglob("*"))
    assert [path.replace(".partial", "") for path in before] == [path for path in left if not path.endswith(".index")]


def test_a_pipe_among_cut_outs_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(png(4, 4))
    assert find_pictures(tmp_path) == [tmp_path / "b.png"]


# Sentences


def test_a_mask_file_in_another_encoding_is_told_of_in_a_line(tmp_path: Path):
    (tmp_path / "a.json").write_bytes(b'{"a": "' + b"x" * 100_000 + b'\xff"}')
    with pytest.raises(ValueError, match=r"a\.json is not a mask file .*\(UnicodeDecodeError: ") as found:
        SamJson(folder=str(tmp_path))(IMAGE, "a.jpg")
    assert len(str(found.value)) < 400


def test_commands_to_a_terminal_do_not_come_through(tmp_path: Path):
    header = {"source": {"kind": "\x1b[2J\nall is well"}, "channels": 3, "root": "", "num_images": 0, "num_regions": 0}
    path = make_store(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE header SET header = ?", (json.dumps(header),))
        connection.commit()
    wanted = StoreHeader(source={"kind": "grid"}, channels=3, root="/data", num_images=0, num_regions=0)
    with pytest.raises(ValueError, match="was made with the source") as found:
        StoreWriter(path, wanted)
    assert str(found.value).isprintable()
