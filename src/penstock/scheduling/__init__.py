"""Decides which camera's frame goes to which model, and when: pure and deterministic, no threads, I/O or clock.

It hears what has happened (`offered`, `arrived`, `refused`, `finished`, processes that came and went), and
`plan(now_ns)` says what to do next. Every frame that it heard of ends in exactly one fate.
"""
