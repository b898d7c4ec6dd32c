"""Decoders of network outputs, one family per file, all of the shape in `head.Head`.

A head says whether a network is of its family, which view of the picture the network wants, and turns outputs
into boxes in pixels of that view, probabilities of classes, or scores. What follows (suppression, labels, mapping to
the frame) is shared.
"""
