"""Known models: where each comes from, under which licence, what its bytes must be, and where fetched ones lie.

Only permissive licences (Apache-2.0, MIT, BSD), and only networks whose outputs one of our heads reads.
"""
