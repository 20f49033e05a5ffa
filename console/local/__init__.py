"""The embedded stack of `make up` and of the tests: the only place that starts servers.

The parent that supervises imports no Django here: it runs before there is a database to configure Django
with.
"""
