"""Notices: what happened, told by e-mail and webhook to whoever asked for it. Off until somebody asks.

    with transaction.atomic():
        ...                                     # what happened
        announce(Announcement(kind, "chat", key=..., ...))

A notice is a row, written in the transaction of what it tells of. Deliveries are rows too: a worker sends each at
least once, again and again for a day, and receivers tell doubles by the notice's id.
"""
