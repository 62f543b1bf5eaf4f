"""Bytes to frames and back: framing, payload descriptors, limits. No I/O, no threads."""
