"""The original MHMD as its authors hand it out: its layout, and how it comes into a workspace."""
