"""Perceptual hashes of pictures, and all pairs of them that are near each other."""
