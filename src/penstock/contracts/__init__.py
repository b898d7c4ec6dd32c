"""The records that travel between rooms and processes, and the Protocols of what makes and takes them.

Records are `msgspec.Struct`s: cheap to make, typed, and encoded without pickle. Fields may be added with a
default; changing or removing one raises `wire.WIRE_VERSION`.
"""
