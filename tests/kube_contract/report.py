"""pytest plugin: after a run, which checks of the cluster contract ran against which API server."""

from __future__ import annotations

import os
from collections import Counter

import pytest

RAN_ON = "kube_contract"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran: Counter[tuple[str, str]] = Counter()
    checks: dict[str, set[str]] = {}
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            where = dict(getattr(report, "user_properties", ())).get(RAN_ON)
            if where:
                ran[str(where), outcome] += 1
                topic = report.nodeid.partition("::")[0].rpartition("/test_")[2].removesuffix(".py")
                checks.setdefault(str(where), set()).add(topic.replace("_", " "))
    if not ran:
        return
    terminalreporter.section("cluster contract")
    for where in sorted(checks):
        counts = ", ".join(f"{ran[where, o]} {o}" for o in ("passed", "failed", "skipped") if ran[where, o])
        terminalreporter.line(f"{where}: {counts}: {'; '.join(sorted(checks[where]))}")
    if not os.environ.get("SLIPWAY_TEST_KUBECONFIG"):
        terminalreporter.line("No other API server: SLIPWAY_TEST_KUBECONFIG names none.")
