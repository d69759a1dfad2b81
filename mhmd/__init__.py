"""mhmd: from a library of films to a labelled colorization dataset, and to HistoryNet trained on it."""
