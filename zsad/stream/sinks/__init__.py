"""Where finished items go: rows, pictures, the report."""
