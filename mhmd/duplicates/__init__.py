"""Duplicates: which frames show the same picture, which of them is kept, and a look at the groups."""
