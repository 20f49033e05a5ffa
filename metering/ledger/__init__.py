"""From the stream of the gateways to the ledger in Postgres, each event exactly once.

`reading.py` takes entries from the stream and confirms them when they are committed; `intake.py` takes a batch in, in
one transaction; `judging.py` says what is an event that can be taken in; `partitions.py` makes the months.
"""
