"""Bytewax-shaped pieces around the science and the contract: sources, steps, sinks."""
