"""Reels in, the same reels with what is in their media out."""
