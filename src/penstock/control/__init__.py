"""Keeps the processes of a run alive and connected: spawns, watches, restarts, stops; touches no pixels."""
