"""How the detector in the box is made: footage of drawn scenes, a small network, its training, and what it is worth."""
