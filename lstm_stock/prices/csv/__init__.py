"""Read daily bars, or a series of values, from a file of almost any layout; ask where the file is ambiguous.

- `reader`: one file of bars. `many`: many files at once.
- `text`: encoding and delimiter. `tables`: Excel and Parquet files.
- `header`: where the columns are named. `columns`: which column is which. `names`: what columns are called.
  `named`: columns that the user names.
- `rows`, `bars`: which rows are bars. `dates`, `numbers`: values of cells.
- `values`: a series of values. `times`: dates with a time of day, months, years.
"""
