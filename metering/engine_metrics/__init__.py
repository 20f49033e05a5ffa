"""What engines say of themselves on their metrics pages, kept by the minute and by the hour.

`looking.py` is one look at all replicas: `door.py` fetches their pages, `page.py` reads them with the names of
`families.py`, `minutes.py` keeps what they say. `closing.py` makes hours of minutes and forgets what is old, and
`reading.py` answers the questions of a page.

Histograms of engines are not kept: their buckets differ, so those of two engines cannot be added up. Latencies are
measured at the gateway, which sees all engines with the same eyes.
"""
