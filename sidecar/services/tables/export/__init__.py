"""tables/export: a table or a view as the bytes of a file."""
