"""What must always be true of limits and money, checked against the facts: for a command, and for a page.

`books.py` adds up, `delivery.py` follows requests from the gateways to the ledger, `minutes.py` holds limits against
what was let through, `quality.py` looks at what is estimated, unpriced or rejected, `engines.py` at the engines' own
counters.

The gateways are asked first and the database afterwards, and all questions to the database see it at one moment: so
what comes in meanwhile can never look like something that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction

from deployments.vocabulary import Tone
from metering.invariants import books, delivery, engines, minutes, quality
from metering.invariants.finding import Finding, look

__all__ = ["Finding", "check"]


def check(now: datetime, *, patience: float = 0, everything: bool = False) -> list[Finding]:
    """All of them, the broken ones first.

    `patience`: seconds that a question to the database may take, 0: as long as it needs. The books are added up from
    last month on, or altogether.
    """
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    since = None if everything else (month - timedelta(days=1)).replace(day=1)
    told = delivery.ask(now)
    questions: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("Events and hours", lambda: [books.events_and_hours(since)]),
        ("Hours and invoice lines", lambda: [books.invoice_lines(since)]),
        ("Admitted and recorded", lambda: delivery.findings(told, now)),
        ("Worst minute, requests", lambda: [minutes.worst("requests", now)]),
        ("Worst minute, tokens", lambda: [minutes.worst("tokens", now)]),
        ("Estimated tokens", lambda: [quality.estimated(now)]),
        ("Unpriced usage", lambda: [quality.unpriced(now)]),
        ("Rejected events", lambda: [quality.rejected(now)]),
        ("Ledger and engines", lambda: [engines.compared()]),
    ]
    with _one_moment():
        found = [finding for title, question in questions for finding in _ask(title, question, patience)]
    order = [Tone.BAD, Tone.WARN, Tone.GOOD]
    return sorted(found, key=lambda finding: order.index(finding.tone))


@contextmanager
def _one_moment() -> Iterator[None]:
    """All statements see the same moment; only where there is no transaction yet, which has its own rule."""
    is_first = not connection.in_atomic_block
    with transaction.atomic():
        if is_first:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _ask(title: str, question: Callable[[], list[Finding]], patience: float) -> list[Finding]:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(int(patience * 1000))])
            return question()
    except OperationalError as error:
        if "statement timeout" not in str(error):
            raise
        sentence = f"This takes longer than {patience:.0f} s here."
        return [look(title, sentence, "Run manage.py check_ledger, which takes the time that it needs.")]
