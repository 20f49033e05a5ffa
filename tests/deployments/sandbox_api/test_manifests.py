"""Everything that we render is accepted by the API with strict checks of its fields."""

from pathlib import Path

from tests.deployments.sandbox_api.cluster import Cluster

GOLDEN = Path(__file__).parents[1] / "manifests" / "golden"


def test_every_golden_manifest_is_accepted(api: Cluster) -> None:
    files = sorted(GOLDEN.glob("*.yaml"))
    assert files
    told = api.kubectl(
        "apply",
        "--server-side",
        "--validate=strict",
        "--dry-run=server",
        "--field-manager=slipway",
        "-f",
        str(GOLDEN),
    )
    # Old clusters get the old version, which newer ones call deprecated.
    lines = [line for line in told.splitlines() if "is deprecated; use" not in line]
    applied = [line for line in lines if "serverside-applied (server dry run)" in line]
    assert len(applied) == len(lines) >= len(files)
