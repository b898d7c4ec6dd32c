"""Evidence of events: clips cut from packets and re-encoded only where an MP4 could not hold them, the snapshot of the
very frame whose boxes it carries, and a manifest that chains them. What could not be made says why; nothing
half-written is ever seen."""
