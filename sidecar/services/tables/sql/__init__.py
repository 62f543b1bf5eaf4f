"""tables/sql: a query over all sessions."""
