"""What must not grow, measured as counts and ratios: `make bench`.

Each module `measure_*.py` has a function `measure` that yields pairs of name and value; its database is empty at first.
"""
