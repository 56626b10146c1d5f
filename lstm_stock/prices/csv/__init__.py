"""Read daily bars from a CSV file of almost any layout; ask where the file is ambiguous.

- `reader`: the file as a whole. `text`: encoding and delimiter. `columns`: which column is which. `cells`: values.
"""
