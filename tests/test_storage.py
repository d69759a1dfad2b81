"""Rows and bytes are stored whole or not at all, and say what they are."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mhmd.entries import MANIFESTS
from mhmd.errors import StorageError
from mhmd.records import DATASET, STORED, Frame, Mask, Record, Shot, columns_of
from mhmd.sink import Sink
from mhmd.storage import Stamp, Storage, content_of, encode_table, schema_of, table_of
from mhmd.tar import TarWriter


def shots(score: float = 1.5) -> pa.Table:
    return table_of(Shot, [Shot("a", 0, 0, 24, 0.0, 1.0, "start", 0.0), Shot("a", 1, 24, 48, 1.0, 2.0, "cut", score)])


@pytest.mark.parametrize("record", [*STORED, *DATASET, *MANIFESTS])
def test_every_record_has_a_schema_and_says_what_its_columns_are(record: type[Record]) -> None:
    schema = schema_of(record)
    assert len(set(schema.names)) == len(schema.names)
    assert schema.equals(table_of(record, []).schema)


def test_a_list_of_numbers_keeps_its_type_and_its_nulls(tmp_path: Path) -> None:
    blank = {"string": "", "bool": False, "float64": 0.0, "list<int32>": None, "binary[96]": bytes(96)}
    values = {column.field: blank.get(column.arrow, 0) for column in columns_of(Frame)}
    storage = Storage(str(tmp_path))
    rows = [Frame(**values | {"subtitle_band": band}) for band in ((430, 470), None)]
    storage.write_table("frames/a.parquet", table_of(Frame, rows))
    column = storage.table("frames/a.parquet", ["subtitle_band"])["subtitle_band"]
    assert column.type == pa.list_(pa.int32())
    assert column.to_pylist() == [[430, 470], None]


def test_content_depends_on_rows_alone(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    storage.write_table("shots/a.parquet", shots(), Stamp("one digest", tar="t", tar_bytes=3))
    storage.write_table("shots/b.parquet", pa.concat_tables([shots().slice(0, 1), shots().slice(1)]), Stamp("another"))
    first, second = storage.stamp("shots/a.parquet"), storage.stamp("shots/b.parquet")
    assert first is not None
    assert second is not None
    assert first.content == second.content == content_of(shots())
    assert (first.digest, second.digest) == ("one digest", "another")
    assert content_of(shots(score=1.6)) != first.content
    assert content_of(shots().rename_columns([*shots().column_names[:-1], "points"])) != first.content


def test_rows_that_others_wrote_are_hashed(tmp_path: Path) -> None:
    pq.write_table(shots(), tmp_path / "a.parquet")
    stamp = Storage(str(tmp_path)).stamp("a.parquet")
    assert stamp is not None
    assert (stamp.digest, stamp.content) == ("", content_of(shots()))


def test_same_rows_same_bytes() -> None:
    rows = pa.concat_tables([shots().slice(0, 1), shots().slice(1)])
    assert encode_table(shots(), Stamp("d")) == encode_table(rows, Stamp("d"))


def test_a_table_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"not a table")
    with pytest.raises(StorageError, match=r"a\.parquet.*wanted a Parquet table"):
        Storage(str(tmp_path)).stamp("a.parquet")


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a.parquet").mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        Storage(str(tmp_path)).write("t/a.parquet", b"x")
    assert [path.name for path in (tmp_path / "t").iterdir()] == ["a.parquet"]


MASK = Mask("film", "film_1", "0:1", "p", ("a",), 0.0, 0.0, 1.0, (1.0,), (1.0,), 0, 0, None)


def test_a_tar_is_read_by_tarfile_and_by_reference(tmp_path: Path) -> None:
    members = {"a.jpg": b"x" * 1000, "b" * 130 + ".jpg": b"", "c.png": bytes(512)}
    writer = TarWriter(tmp_path / "x.tar")
    offsets = {name: writer.add(name, data) for name, data in members.items()}
    digest = writer.close()
    raw = (tmp_path / "x.tar").read_bytes()
    assert hashlib.sha256(raw).hexdigest() == digest
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        assert {m.name: tar.extractfile(m).read() for m in tar} == members  # type: ignore[union-attr]  # all are files
        assert {m.mtime for m in tar.getmembers()} == {0}
    assert all(raw[offsets[name] : offsets[name] + len(data)] == data for name, data in members.items())


def test_bytes_stream_into_the_tar_in_bounded_memory(tmp_path: Path) -> None:
    sink = Sink(Storage(str(tmp_path)), "film", (Mask,), "masks", lambda *_: None)
    process = psutil.Process()
    before = process.memory_info().rss
    for number in range(400):
        sink.put(f"{number}.png", bytes([number % 256]) * 1_000_000)
    assert process.memory_info().rss - before < 60_000_000
    sink.discard()
    assert not list(tmp_path.rglob("*.*"))


def test_refs_of_a_sink_point_at_the_bytes(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    sink = Sink(storage, "film", (Mask,), "masks", lambda *_: None)
    rows = [replace(MASK, frame_id=f"film_{n:010d}", ref=sink.put(f"{n}.png", bytes([n]) * (n + 1))) for n in range(3)]
    sink.rows(Mask, rows)
    sink.commit("digest", {"film": {}})
    for n, ref in enumerate(storage.table("masks/film.parquet")["ref"].to_pylist()):
        name, offset, size = ref.rsplit(":", 2)
        assert storage.read(name, int(offset), int(size)) == bytes([n]) * (n + 1)
        assert name == f"masks/{hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()}.tar"


def test_a_frame_id_cannot_come_twice(tmp_path: Path) -> None:
    sink = Sink(Storage(str(tmp_path)), "film", (Mask,), "masks", lambda *_: None)
    sink.rows(Mask, [MASK] * 2)
    with pytest.raises(AssertionError, match="twice"):
        sink.commit("digest", {"film": {}})


def test_only_what_killed_runs_left_is_removed(tmp_path: Path) -> None:
    """Two runs may make the same film at once: neither takes the other's file away."""
    storage, other = Storage(str(tmp_path)), subprocess.Popen(["sleep", "60"])
    own = storage.scratch("frames", "a")
    written = own.with_suffix(f".{other.pid}")
    try:
        for file in (own, written):
            file.write_bytes(b"half")
        assert storage.scratch("frames", "a") == own
        assert (own.exists(), written.exists()) == (False, True)
    finally:
        other.kill()
        other.wait()
    storage.scratch("frames", "a")
    assert not written.exists()
