"""pytest plugin (`-p tests.servers`): a real PostgreSQL and Valkey for the run, before Django reads its settings.

Each process that runs tests has servers of its own, so that workers of pytest-xdist may flush and drop what
they like. A process that runs none (the xdist controller, `--collect-only`) starts none.
"""

import os
from collections.abc import Generator

import pytest

from console.local import throwaway
from console.local.family import Family

SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "console.settings",
    "SECRET_KEY": "only-for-tests-and-therefore-not-secret-at-all-0123456789",
    "FIELD_ENCRYPTION_KEYS": "c2xpcHdheS10ZXN0cy1vbmx5LTAxMjM0NTY3ODlhYmM=",
    "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
    "GATEWAY_URL": "http://127.0.0.1:8001",
    "DEBUG": "false",
    "SECURE": "false",
    "DATABASE_POOL": "false",  # a pool keeps connections open that would hinder dropping the test database
    "LOG_LEVEL": "WARNING",
    "SLIPWAY_EXAMPLE_PASSWORD": "",
    "SLIPWAY_SANDBOX_KUBECONFIG": "",
}
_NOWHERE = {
    "DATABASE_URL": "postgresql://slipway@/postgres?host=%2Fnonexistent",
    "REDIS_URL": "unix:///nonexistent/valkey.sock?db=0",
}
_family: Family | None = None


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """A wrapper runs before pytest-django's implementation, which loads the settings."""
    global _family
    # A developer's own environment must not reach the tests; an empty NAME_FILE does not count.
    os.environ.update({f"{name}_FILE": "" for name in (*SETTINGS, *_NOWHERE)}, **SETTINGS, **_NOWHERE)
    if _runs_tests(early_config):
        _family = Family()
        os.environ.update(throwaway.start(_family))
    return (yield)


def pytest_unconfigure() -> None:
    global _family
    if _family is not None:
        _family.close()
        _family = None


def _runs_tests(config: pytest.Config) -> bool:
    options = config.known_args_namespace
    if options.help or options.version or getattr(options, "collectonly", False):
        return False
    return "PYTEST_XDIST_WORKER" in os.environ or not getattr(options, "numprocesses", None)
