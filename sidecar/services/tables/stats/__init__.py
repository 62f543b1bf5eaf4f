"""tables/stats: exact figures and a histogram of each column."""
