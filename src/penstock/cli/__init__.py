"""The commands that people type, and what they see of a run. Nothing heavy is imported before it is needed."""
