"""tables/compare: which rows and cells of two tables differ."""
