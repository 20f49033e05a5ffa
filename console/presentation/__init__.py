"""How facts become text: numbers with units, durations, moments. Pure functions; the template tags only call them."""
