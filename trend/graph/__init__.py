"""The graph of signals that come in the same reels, its communities and their growth."""
