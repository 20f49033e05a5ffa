"""pytest plugin: the installed Chromium for pytest-playwright; without one, browser tests are skipped and say so."""

import os
import shutil
from time import monotonic, sleep
from typing import Any

import pytest
from django.db import connection

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--no-sandbox",  # Chromium's own sandbox does not start as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """How pytest-playwright starts the browser."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip(
            "no Chromium on PATH, so the browser tests are skipped (Debian: apt-get install chromium)"
        )
    # Playwright runs an event loop in the test's thread, which Django would take for an async caller.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    return {**browser_type_launch_args, "executable_path": program, "args": list(_FLAGS)}


def wait_for_the_last_answer() -> None:
    """A request that was under way when its page closed still holds the database, which is about to be emptied.

    Between two statements a request is idle for a moment. What is idle for longer is the connection that this thread
    had before Playwright's event loop ran in it; Django keeps it apart, and nobody uses it meanwhile.
    """
    deadline = monotonic() + 20
    with connection.cursor() as cursor:
        while monotonic() < deadline:
            cursor.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND NOT (state = 'idle' AND state_change < clock_timestamp() - interval '300 ms')"
            )
            if cursor.fetchone() is None:
                return
            sleep(0.05)
