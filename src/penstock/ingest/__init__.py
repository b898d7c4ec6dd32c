"""From encoded access units to frames on demand, per camera, without ever making anybody wait.

One thread per stream connects, reads, numbers, keeps packets in the ring and decodes what the decode policy asks for,
whole or not at all; it holds the newest picture as FFmpeg gave it. The engine is told of frames that a lane may be due
for. Views are made only when the engine asks, from whatever is newest then, or of parts of a frame that it has seen.
"""
