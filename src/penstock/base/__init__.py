"""Clocks, units, ids and bounded queues: what every room may use. Standard library only."""
