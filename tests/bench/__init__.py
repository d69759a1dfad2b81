"""Benchmarks, run by `make bench`: ratios within one run, since machines are noisy."""
