"""Labels: the join of the labels manifest with frames, the manifest to fill in, and the counts."""
