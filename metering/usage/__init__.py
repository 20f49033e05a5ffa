"""Usage and cost: what was used in a period, of whom and of what, added up in any way that people ask for."""
