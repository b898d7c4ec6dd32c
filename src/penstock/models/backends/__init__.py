"""Runtimes for network files, one per file, all of the shape in `backend.Backend`.

A runtime's library is imported when its first file is read: a process that runs no network does not pay for it.
"""
