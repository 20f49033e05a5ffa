"""The parts of a look at a cluster: what is asked, what was known before, what is written down."""
