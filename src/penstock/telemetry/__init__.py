"""Pulls what stages count and shows it: log lines, Prometheus metrics, health, the report of a run.

The room measures nothing itself and no stage imports it: processes publish `statistics.ProcessStatistics`, and
everything here is a function of those records.
"""
