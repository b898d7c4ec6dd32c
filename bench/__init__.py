"""Micro-benchmarks for developers: `python -m bench [--quick] [names…] [--out DIR]`.

One file per question, all the same shape (`BENCHMARK`); every contestant runs in a fresh process, contestants take
turns within a round, and raw samples are kept. Nothing here is a test: a number that is missed is shown, not raised.
"""
