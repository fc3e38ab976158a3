"""What is heard: samples in, peaks, landmarks and figures out, and which known sound they are."""
