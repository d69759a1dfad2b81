"""Settings that hold for all tests."""

from hypothesis import settings

settings.register_profile("mhmd", deadline=None)  # tests assert no times
settings.load_profile("mhmd")
