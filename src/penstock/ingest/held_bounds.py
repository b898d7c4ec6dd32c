"""How much ingest may hold of one camera beside its newest picture and its packets: bounds that the memory sum counts.

Apart from those who hold it, for the engine adds this up as well, and loads nothing that knows pictures.
"""

MOST_BYTES = 8 * 1024 * 1024
"""of packets of the current GOP that were passed over"""
MOST_PICTURES = 4
"""seen whole, for those who ask for parts of them: at 1920×1080, 12 MB; models answer before three more frames of their
camera have been looked at"""
