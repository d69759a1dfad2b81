"""A dataset: the folder of shards, how it is assembled, written, described, checked and read."""
