"""What people read: tables, sentences, progress bars and figures.

- `score_tables`, `run_tables`, `price_tables`: tables. `text`: the verdict and other sentences.
- `console`: prints tables, notes and warnings. `progress`: progress bars. `plots/`: figures.
"""
