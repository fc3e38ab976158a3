"""Visual formats: clusters of reels that look alike, with ids that last while looks drift."""
