"""What people read: tables, sentences, progress bars and figures.

- `table`: the look of a table. `score_tables`, `run_tables`, `price_tables`, `cell_tables`: the tables.
- `text`: sentences below the tables. `console`: prints tables, notes and warnings. `progress`: progress bars.
- `plots/`: figures.
"""
