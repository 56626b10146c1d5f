"""Read daily bars, or a series of values, from a CSV file of almost any layout; ask where the file is ambiguous.

- `reader`: the file as a whole. `text`: encoding and delimiter. `columns`: which column is which. `names`: what
  columns are called. `dates`, `numbers`: values of cells.
- `values`: a series of values. `times`: dates with a time of day, months, years.
"""
