"""Cameras that are drawn: scenes whose every figure and instant is known, and videos made of them."""
