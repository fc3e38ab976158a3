"""A compiled scanner for lines of `reels.v1`: JSON to columns without Python objects."""
