"""tables: what a person does with a table: rows, statistics, SQL, export, comparison."""
