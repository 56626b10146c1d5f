"""What `benchmarks/fuzz.py` is made of: a small world, ways to damage its files, and the kinds of cases."""
