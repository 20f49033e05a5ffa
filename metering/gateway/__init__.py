"""The OpenAI-compatible proxy in front of the engines: a process of its own, any number of them, without Django.

A request goes through these files in this order: `connection.py` (HTTP/1.1 on a socket), `doors.py` (which addresses
there are), `call.py` (one request from key to ledger), `body.py` (what was asked), `limits.py` (may it?),
`upstream.py` (the one door to engines), `usage.py` (what the engine says it did), `journal.py` and `recorder.py` (so
that it is billed once). All of it decides by `snapshot.py`, a copy of what Postgres says, so that the gateway serves
without anybody's help.
"""
