"""`python -m tests.real_engine FOLDER`: makes what the real engine needs, where it is not there yet."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.real_engine.installation import Installation, InstallationFailed

if __name__ == "__main__":
    try:
        Installation(Path(sys.argv[1]).resolve()).complete()
    except InstallationFailed as failed:
        sys.exit(str(failed))
