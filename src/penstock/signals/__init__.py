"""What is known of each camera, and until when: typed signals on a blackboard, and logic with three values.

A signal that is missing or stale is unknown, never false. Everything here is pure: instants are arguments.
"""
