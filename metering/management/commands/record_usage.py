"""`manage.py record_usage`: takes what gateways report into the ledger, until it is told to stop."""

import gc
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from metering.ledger.intake import Taken
from metering.ledger.reading import Ledger


class Command(BaseCommand):
    help = "Takes the gateways' usage events into the ledger. Any number may run at once; SIGTERM ends it."

    def handle(self, *args: Any, **options: Any) -> None:
        ledger = Ledger(settings.REDIS_URL)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ledger.stop())
        # What is there from the start stays for good. Looked through by the garbage collector again and again, it would
        # cost a batch more than half of what the batch itself does.
        gc.freeze()
        ledger.run(self._tell if options["verbosity"] > 1 else lambda taken: None)

    def _tell(self, taken: Taken) -> None:
        self.stdout.write(f"recorded {taken.recorded}, known {taken.known}, rejected {taken.rejected}")
