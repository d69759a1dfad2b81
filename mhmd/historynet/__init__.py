"""HistoryNet (Jin et al., "Focusing on Persons", arXiv 2108.06515): train it on shards, measure it, colour pictures.

config ─▶ data ─▶ model (backbone, branches) ─▶ losses, critic ─▶ steps ─▶ train ─▶ checkpoint ─▶ metrics, colorize
"""
