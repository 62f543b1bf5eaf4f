"""What goes wrong while a bundle is made."""

from __future__ import annotations


class BuildFault(Exception):
    """The message names what is wrong, where, and what to do."""
