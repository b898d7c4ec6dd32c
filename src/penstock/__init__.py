"""Real-time video inference on one host: bounded age, planned degradation, books that balance."""

__version__ = "0.1.0"
