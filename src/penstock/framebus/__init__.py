"""How processes share pixels, packets and counters without waiting for each other.

Memory regions (shared or plain), leased frame slots, the packet ring, counters and latest-value cells that
outlive their writers, and bounded message links. Everything has one writer; readers never disturb it.
"""
