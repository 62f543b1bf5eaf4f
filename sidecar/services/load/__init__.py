"""load: a table from any one source becomes a session."""
