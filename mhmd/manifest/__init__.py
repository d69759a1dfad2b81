"""Manifests: the tables that people write, as Parquet or as spreadsheets write them, read and checked as a whole."""
