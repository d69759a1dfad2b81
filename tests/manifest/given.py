"""Manifests that tests write, and what is said of those that are refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mhmd.errors import ManifestError
from mhmd.manifest.labelled import read_labels
from mhmd.manifest.read import read_films, read_taxonomy
from mhmd.resources import resource

TAXONOMY = read_taxonomy(resource("manifests/labels.parquet"))


def written(folder: Path, **columns: object) -> Path:
    path = folder / "given.parquet"
    pd.DataFrame(columns).to_parquet(path, index=False)
    return path


def refusal(path: Path, read: object = read_films) -> str:
    with pytest.raises(ManifestError) as caught:
        read(path, TAXONOMY) if read is read_labels else read(path)  # type: ignore[operator]
    assert str(path) in caught.value.found
    assert "\n" not in str(caught.value)
    return caught.value.found.removeprefix(f"{path}: ")
