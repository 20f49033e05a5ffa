"""The wizard: a draft in the database, one page per part of the document, and a review before anything happens.

steps.py names the pages, reading.py judges what a draft says, drafts.py writes it down, forms/ turn fields into
parts of the document, advice.py and review.py gather what the pages show, views.py answers requests.
"""
