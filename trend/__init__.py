"""The science: arrays in, arrays out; no I/O, no clock, nothing of this project but itself."""
