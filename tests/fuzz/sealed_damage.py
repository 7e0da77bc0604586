"""Damage behind checksums: what holds them is opened, damaged inside, and closed with checksums that are right."""

import io
import json
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from zstandard import ZstdCompressor, ZstdDecompressor

from encoded_pictures import PNG_HEAD, png_of
from fuzz.byte_damage import EDGES, damage_bytes
from fuzz.tree_damage import ODD_VALUES, damage_json


def damage_png(generator: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change the chunks of a PNG, their order, or the pixels inside."""
    chunks = list(_png_chunks(content))
    chosen = int(generator.integers(len(chunks)))
    kind, data = chunks[chosen]
    match int(generator.integers(7)):
        case 0:
            return damage_bytes(generator, content, others)
        case 1:
            chunks[chosen] = (kind, damage_bytes(generator, data))
        case 2:
            chunks.insert(int(generator.integers(len(chunks) + 1)), chunks[chosen])
        case 3:
            del chunks[chosen]
        case 4:  # width, height, depth, colours, compression, filter, interlacing
            fields = list(struct.unpack(">IIBBBBB", chunks[0][1]))
            field = int(generator.integers(7))
            fields[field] = EDGES[int(generator.integers(len(EDGES)))] % (2**32 if field < 2 else 256)
            chunks[0] = (b"IHDR", struct.pack(">IIBBBBB", *fields))
        case 5:
            pixels = zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))
            packed = zlib.compress(damage_bytes(generator, pixels))
            chunks = [(kind, packed if kind == b"IDAT" else data) for kind, data in chunks]
        case _:
            words = (b"tRNS", b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP", b"gAMA", b"acTL", b"fcTL", b"PLTE", b"sBIT")
            packed = zlib.compress(bytes(int(generator.choice((10, 10_000, 3_000_000)))))
            further = (generator.bytes(int(generator.integers(40))), b"a\0\0" + packed)[int(generator.integers(2))]
            chunks.insert(1, (words[int(generator.integers(len(words)))], further))
    return png_of(chunks)


def _png_chunks(content: bytes) -> Any:
    place = len(PNG_HEAD)
    while place < len(content):
        (size,) = struct.unpack_from(">I", content, place)
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        place += 12 + size


def damage_label_runs(generator: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change the numbers inside packed label runs, or the frame around them."""
    if generator.random() < 0.3:
        return damage_bytes(generator, content, others)
    numbers = damage_bytes(generator, ZstdDecompressor().decompress(content))
    with_size, with_sum = generator.random(2) < 0.95
    return ZstdCompressor(write_checksum=bool(with_sum), write_content_size=bool(with_size)).compress(numbers)


def damage_safetensors(generator: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change the header of a safetensors file, or the file."""
    if generator.random() < 0.3:
        return damage_bytes(generator, content, others)
    size = int.from_bytes(content[:8], "little")
    header = damage_json(generator, content[8 : 8 + size])
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


def damage_metadata(generator: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change the JSON inside the metadata of a safetensors file."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    metadata = header["__metadata__"]
    name = sorted(metadata)[int(generator.integers(len(metadata)))]
    metadata[name] = damage_json(generator, metadata[name].encode()).decode("utf-8", "replace")
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def damage_database(generator: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change a value in a table of an SQLite database, its schema or its numbers in the header, or the file."""
    if generator.random() < 0.4:
        return damage_bytes(generator, content, others)
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.deserialize(content)
        connection.execute("PRAGMA writable_schema = ON")
        _change_database(generator, connection)
        return connection.serialize()
    finally:
        connection.close()


def _change_database(generator: np.random.Generator, connection: sqlite3.Connection) -> None:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
    table = [*tables, "sqlite_master"][int(generator.integers(len(tables) + 1))]
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] or ["type", "name", "sql"]
    column = columns[int(generator.integers(len(columns)))]
    if generator.random() < 0.1:
        which = ("application_id", "user_version", "page_size")[int(generator.integers(3))]
        connection.execute(f"PRAGMA {which} = {EDGES[int(generator.integers(len(EDGES)))] % 2**31}")
        return
    rows = connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
    rowid, value = rows[int(generator.integers(len(rows)))]
    connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid = ?", (_cell(generator, value), rowid))


def _cell(generator: np.random.Generator, value: Any) -> Any:
    """What SQLite can hold in place of a value; text may become bytes that are none."""
    if isinstance(value, str) and value[:1] == "{" and generator.random() < 0.6:
        return damage_json(generator, value.encode()).decode("utf-8", "replace")
    if isinstance(value, bytes) and generator.random() < 0.6:
        return damage_label_runs(generator, value)
    if isinstance(value, str) and generator.random() < 0.3:
        return damage_bytes(generator, value.encode())
    odd = ODD_VALUES[int(generator.integers(len(ODD_VALUES)))]
    match odd:
        case str():
            return odd.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        case int() if abs(odd) >= 2**63:
            return float(odd) if abs(odd) < 2**1000 else 0
        case None | int() | float():
            return odd
        case _:
            return json.dumps(odd)


def damage_tar(generator: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change a member of a tar, its name, kind or size among it, or the file."""
    if generator.random() < 0.3:
        return damage_bytes(generator, content, others)
    members: list[tuple[tarfile.TarInfo, bytes]] = []
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for member in tar:
            opened = tar.extractfile(member)
            members.append((member, b"" if opened is None else opened.read()))
    chosen = int(generator.integers(len(members)))
    member, data = members[chosen]
    match int(generator.integers(5)):
        case 0:
            data = damage_bytes(generator, data)
        case 1 if member.name.endswith(".json"):
            data = _with_checksum(damage_json(generator, data), members[:chosen])
        case 2:
            member.name = ("../../a.jpg", "/etc/passwd", "a.json", ".json", "", "é" * 60, "a.regions")[
                int(generator.integers(7))
            ]
        case 3:
            member.type = generator.choice(
                np.array([tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, b"L", b"x", b"g", b"S"])
            ).item()
            member.linkname = "/etc/passwd"
        case _:
            del members[chosen]
    if chosen < len(members):
        members[chosen] = (member, data)
    written = io.BytesIO()
    for member, data in members:
        member.size = len(data)
        written.write(
            member.tobuf(tarfile.GNU_FORMAT, "utf-8", "replace") + data + bytes(-len(data) % tarfile.BLOCKSIZE)
        )
    return written.getvalue()


def _with_checksum(content: bytes, before: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """The description of an image with the checksum that a writer would have given it, where that can be."""
    try:
        facts = json.loads(content)
        del facts["crc32"]
        parts = [data for _, data in before[-2:]]
        crc = zlib.crc32(json.dumps(facts).encode(), zlib.crc32(b"".join(parts)))
        return json.dumps({**facts, "crc32": crc}).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        return content


def damage_zip(generator: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change what is in a zip file, as torch writes them, or the file."""
    if generator.random() < 0.3:
        return damage_bytes(generator, content, others)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [(info.filename, archive.read(info)) for info in archive.infolist()]
    chosen = int(generator.integers(len(parts))) if generator.random() < 0.5 else 0  # the first one is the pickle
    parts[chosen] = (parts[chosen][0], damage_bytes(generator, parts[chosen][1], [data for _, data in parts]))
    if generator.random() < 0.1:
        del parts[int(generator.integers(len(parts)))]
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, data in parts:
            archive.writestr(zipfile.ZipInfo(name), data)
    return written.getvalue()


def damage_footer(generator: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change the footer of a Parquet file, which says what stands where, or the file."""
    if generator.random() < 0.3:
        return damage_bytes(generator, content, others)
    size = int.from_bytes(content[-8:-4], "little")
    start = len(content) - 8 - size
    footer = damage_bytes(generator, content[start:-8])
    return content[:start] + footer + len(footer).to_bytes(4, "little") + content[-4:]
