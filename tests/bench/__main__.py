"""Runs every measurement on real servers and prints one `name: value` line each."""

import contextlib
import importlib
import os
import pkgutil
import sys

from console.local import throwaway
from console.local.family import Family
from tests import bench
from tests.servers import SETTINGS


def main(wanted: list[str]) -> None:
    """All measurements, or those whose module's name contains one of the words."""
    with Family() as family:
        os.environ.update({**SETTINGS, **throwaway.start(family, durable=True)})
        import django

        django.setup()
        for module in pkgutil.iter_modules(bench.__path__):
            name = module.name.removeprefix("measure_")
            if name != module.name and (not wanted or any(word in name for word in wanted)):
                _run(name)


def _run(name: str) -> None:
    from django.test.utils import (
        setup_databases,
        setup_test_environment,
        teardown_databases,
        teardown_test_environment,
    )

    setup_test_environment()
    with contextlib.redirect_stdout(sys.stderr):  # standard output is for the measurements
        databases = setup_databases(verbosity=0, interactive=False)
    try:
        for what, value in importlib.import_module(f"tests.bench.measure_{name}").measure():
            print(f"{name}.{what}: {value}", flush=True)
    finally:
        teardown_databases(databases, verbosity=0)
        teardown_test_environment()


if __name__ == "__main__":
    main(sys.argv[1:])
