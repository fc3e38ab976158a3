"""Where reels come from: one file a kind of source."""
