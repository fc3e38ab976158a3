"""`groundswell extract`: reels go in, the same reels with what is in their media come out."""
