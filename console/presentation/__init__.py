"""How facts become text: numbers with units, durations, moments. Pure functions; template tags call them."""
