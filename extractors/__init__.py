"""Media in, features out."""
