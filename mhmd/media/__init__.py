"""Films and pictures on disk: opening, probing, decoding, colour, JPEG. The only importer of video libraries."""
