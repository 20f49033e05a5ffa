"""Latency as it is kept and read: histograms by deployment, hour and measure, true over any period.

A request adds one to a bucket of its hour in the transaction that records it. Once an hour is over its buckets are
packed into one row (closing.py). Whatever still comes later opens buckets again, and is packed with them the next time;
so each request is in exactly one place, however late it comes and however often or seldom hours are closed.
"""
