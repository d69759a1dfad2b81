"""A workspace on object storage, served by a real server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mhmd.build import How, build
from mhmd.recipe import EMPTY
from mhmd.records import Mask
from mhmd.stage import Where
from mhmd.storage import Storage
from tests.films import Scene, make_film

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # of the server


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

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
