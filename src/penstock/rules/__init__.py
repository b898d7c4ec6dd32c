"""Temporal conditions over signals, decided as a pure function of one ordered log of inputs.

Text → syntax tree → conditions bound to one camera's signals → a state machine per rule and camera. No threads, no
clock, no I/O: the same log gives the same decisions, bit for bit.
"""
