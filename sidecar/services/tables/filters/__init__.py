"""Which rows a view lets through: conditions on columns, and a text that is looked for in all of them."""
