"""Where a unit's inputs lie, and what is said of those that cannot be reached."""

from pathlib import Path

import pytest

from mhmd.errors import FilmMissing
from mhmd.inputs import film_hash
from mhmd.storage import Storage


@pytest.mark.parametrize(
    ("name", "said"),
    [("x" * 300 + ".mp4", "File name too long"), ("https://films.org/a.mp4", "is a URL"), ("gone.mp4", "not exist")],
)
def test_a_film_that_cannot_be_reached(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(FilmMissing, match=f"^alpha: {name}.*{said}"):
        film_hash(Storage(str(tmp_path)), "alpha", name, lambda *_: None)


def test_a_link_to_what_is_gone_names_it(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").symlink_to("/gone/film.mp4")
    with pytest.raises(FilmMissing, match=r"film\.mp4 is a link to /gone/film\.mp4, which does not exist"):
        film_hash(Storage(str(tmp_path)), "alpha", str(tmp_path / "film.mp4"), lambda *_: None)


def test_a_hash_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"film")
    film, storage = str(tmp_path / "film.mp4"), Storage(str(tmp_path))
    found = film_hash(storage, "a", film, lambda *_: None)
    (tmp_path / "hashes" / "a.parquet").write_bytes(b"")
    assert film_hash(storage, "a", film, lambda *_: None) == found
    assert film_hash(storage, "a", film, None) == found


def test_hashing_a_film_is_told_but_no_frame_of_it(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"film" * 500)
    told: list[tuple[int, int]] = []
    assert (
        len(film_hash(Storage(str(tmp_path)), "a", str(tmp_path / "film.mp4"), lambda *each: told.append(each))) == 64
    )
    assert told == [(0, 2000)]
