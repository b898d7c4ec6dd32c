"""Turns leased views into results: loads models, runs them on stream threads, and names what went wrong.

A backend runs a network, a head decodes its outputs, and the executor answers every piece of work exactly once,
also where a model cannot be loaded, raises, returns nonsense or never comes back.
"""
