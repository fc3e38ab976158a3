"""Where trends and refused lines go: files of JSON lines, and the embedded store."""
