"""From encoded access units to frames on demand, per camera, without ever making anybody wait.

One thread per stream connects, reads, numbers, keeps packets in the ring and decodes; it holds the newest picture as
FFmpeg gave it. Views are made only when the engine asks, from whatever is newest then.
"""
