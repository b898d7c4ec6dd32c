"""Every change of the tables, in order, applied at start. A migration that was released is never edited."""
