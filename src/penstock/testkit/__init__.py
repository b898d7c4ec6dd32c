"""Stand-ins of the real shapes for tests: sources, rings, views and models that do exactly as a test says.

Never imported by production code.
"""
