"""Wiring: one file a dataflow, its settings, and the command line."""
