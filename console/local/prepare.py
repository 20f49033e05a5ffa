"""Brings the database up to date and fills in the example; one process, as loading Django twice costs seconds."""

import os
import sys
import time
from pathlib import Path
from typing import Final

_PATIENCE: Final = 60.0  # seconds for the sandbox to write its kubeconfig


def main() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    _await(Path(os.environ["SLIPWAY_SANDBOX_KUBECONFIG"]))
    call_command("seed", verbosity=0)


def _await(kubeconfig: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not kubeconfig.exists():
        if time.monotonic() > deadline:
            sys.exit("The sandbox cluster did not write its kubeconfig.")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
