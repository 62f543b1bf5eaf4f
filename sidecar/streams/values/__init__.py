"""Typed values: from a Python type hint to Arrow, JSON and a compact form, and back without a loss."""
