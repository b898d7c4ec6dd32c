"""Reads what people write: YAML checked against one schema, every error with its line and a suggestion.

What comes out is a `schema.Config` of plain typed values; nothing here knows the stages that will use them.
"""
