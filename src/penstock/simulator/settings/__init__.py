"""The four places that a drawn camera can look at: each lays out its ground, its zones and what happens there."""
