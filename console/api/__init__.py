"""The JSON API under /api/v1/: everything that the console does, for programs. One file a noun.

Rules of every operation: who asks is a `Principal` (authentication.py), what they may is asked of console.access, every
error is a problem document (problems.py), and changes go through the same doors as the pages.
"""
