"""A workspace on object storage, served by a real server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mhmd.build import How, build
from mhmd.dataset.check import check
from mhmd.dataset.load import load
from mhmd.errors import DatasetError, StorageError
from mhmd.recipe import EMPTY
from mhmd.records import Mask
from mhmd.stage import Where
from mhmd.storage import Storage
from tests.corpus import make_corpus
from tests.films import Scene, make_film

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # of the server


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket."""
    import boto3
    from moto.server import ThreadedMotoServer
    from s3fs import S3FileSystem

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="films")
    yield "s3://films"
    server.stop()
    S3FileSystem.clear_instance_cache()  # which has this server's address


def test_a_workspace_on_object_storage_holds_the_same_rows(bucket: str, tmp_path: Path) -> None:
    make_film(tmp_path / "alpha.mp4", [Scene(24, seed=0), Scene(24, seed=1)])
    pd.DataFrame({"film_id": ["alpha"], "title": ["Alpha"], "path": ["alpha.mp4"]}).to_csv(tmp_path / "f.csv")
    label = {"film_id": ["alpha"], "era": ["During WWII"], "nationality": ["China"], "garment": ["formal"]}
    pd.DataFrame(label).to_csv(tmp_path / "l.csv")
    root = str(tmp_path)
    local = Where(f"{root}/data", f"{root}/out", f"{root}/f.csv", f"{root}/l.csv", f"{root}/s.csv")
    remote = replace(local, data=f"{bucket}/work", out=f"{root}/remote")
    for where in (local, remote, remote):
        made = list(build(EMPTY, where, How("processes", 1), begin=lambda _: lambda _: None))
        assert not any(of.failed for of in made)
    assert {outcome.status for of in made for outcome in of.outcomes} == {"fresh"}
    names = [f"{folder}/alpha.parquet" for folder in ("films", "shots", "frames", "verdicts", "labels", "masks")]
    for name in names:
        assert Storage(remote.data).read(name) == Storage(local.data).read(name)
    for ref in Storage(remote.data).table(f"{Mask.TABLE}/alpha.parquet")["ref"].to_pylist():
        name, offset, size = ref.rsplit(":", 2)
        assert Storage(remote.data).read(name, int(offset), int(size)).startswith(b"\x89PNG")
    shards = [sorted(path.name for path in (tmp_path / out).iterdir()) for out in ("out", "remote")]
    assert shards[0] == shards[1]
    assert all((tmp_path / "out" / n).read_bytes() == (tmp_path / "remote" / n).read_bytes() for n in shards[0])


@pytest.mark.filterwarnings("ignore")  # of s3fs' own
def test_a_dataset_on_object_storage_is_the_same_and_resumes_and_is_never_changed(bucket: str, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, films=6, frames=12)
    corpus.shard(max_samples=6)
    out = f"{bucket}/sets/one"
    masks = tmp_path / "data/masks/film002.tar"
    masks.rename(masks.with_suffix(".away"))
    with pytest.raises(StorageError, match="film002"):
        corpus.shard_to(out, max_samples=6)
    remote = Storage(out)
    assert not remote.exists("SHA256SUMS")
    with pytest.raises(DatasetError):
        check(out)
    made = {name: remote.fs.info(remote.path(f"{name}.tar"))["LastModified"] for name in remote.names("", ".tar")}
    masks.with_suffix(".away").rename(masks)
    corpus.shard_to(out, max_samples=6)
    local = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert sorted(remote.fs.ls(remote.root, detail=False, refresh=True)) == sorted(map(remote.path, local))
    assert {name: remote.read(name) for name in local} == local
    assert all(remote.fs.info(remote.path(f"{name}.tar"))["LastModified"] == when for name, when in made.items())
    assert check(out) == []
    keys = [sample.info.key for sample in load(out, "val", shuffle=4)]
    assert sorted(keys) == sorted(sample.info.key for sample in load(tmp_path / "out", "val"))
    corpus.labels("film000", (0, "Before WWII", "China", "communist uniform"))
    with pytest.raises(DatasetError, match="has a dataset made from something else"):
        corpus.shard_to(out, max_samples=6)
    assert {name: remote.read(name) for name in local} == local
