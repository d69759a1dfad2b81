"""OpenCV, or what is missing for it. Whoever needs OpenCV imports it from here."""

from mhmd.errors import DependencyError

try:
    import cv2 as cv2
except ImportError as error:
    raise DependencyError(
        f"OpenCV cannot be loaded: {error}",
        wanted="opencv-python and the system libraries that it links against",
        do="install them, on Debian and Ubuntu with `apt-get install libgl1 libglib2.0-0`",
    ) from error

cv2.setNumThreads(1)  # films and loaders are what runs in parallel; threads within a picture only get in their way
