"""Composition roots: the only room that knows all others, and where configuration becomes running stages."""
