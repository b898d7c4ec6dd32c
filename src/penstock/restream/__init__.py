"""Sends video out: an RTSP server that any player takes, for simulated cameras now and annotated streams later."""
