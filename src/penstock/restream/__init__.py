"""Sends video out over RTSP: whoever publishes into a `Broadcast` never waits, each viewer has a bounded queue and goes
on at a keyframe when it falls behind, no client can hold up or break another, and sender reports tell the true time of
capture. H.264, H.265, MPEG-4 and JPEG; over the connection, over UDP, over TLS.
"""
