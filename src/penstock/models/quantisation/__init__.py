"""Makes 8-bit networks from float ones and pictures of the user's own cameras, and says how far the two agree.

Quantisation itself is NNCF's, an optional dependency; comparing and timing need nothing beyond the models room.
"""
