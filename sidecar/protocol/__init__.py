"""Typed messages and the rules of the conversation. Sans-IO: events in, events out."""
