"""Files that come with mhmd: recipes and manifests, inside a wheel or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path

from mhmd.errors import DependencyError

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """Path of a file that comes with mhmd, such as `manifests/labels.parquet` or `pipelines/demo.toml`.

    A wheel holds them in `mhmd/shipped/`, a checkout beside the package. Raises DependencyError when neither has it.
    """
    for home in (_PACKAGE / "shipped", _PACKAGE.parent):
        if (home / name).is_file():
            return home / name
    raise DependencyError(
        f"{name} is neither in {_PACKAGE / 'shipped'} nor in {_PACKAGE.parent}",
        wanted="the files that come with mhmd",
        do="check the name, or install mhmd again",
    )
