"""The whole stack, once for all journeys: `manage.py up` in a folder of its own, driven by a real browser."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from console.local.sockets import free_port, is_free

PROJECT = Path(__file__).parents[2]
FIRST_START = 180.0
#: The sandbox runs this many times as fast as life.
SPEED = "8"


@dataclass(frozen=True)
class Stack:
    """Where the running stack answers."""

    console: str
    gateway: str
    kubeconfig: str
    admin: str
    password: str

    def manage(self, *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
        """A management command beside the stack."""
        settings = json.loads((Path(self.kubeconfig).parents[1] / "environment.json").read_text())
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env={**_plain_environment(), **settings},
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def kubectl(self, *arguments: str) -> str:
        program = Path(sys.executable).with_name("kubectl")
        done = subprocess.run(
            [str(program), "--kubeconfig", self.kubeconfig, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory, browser_type_launch_args: dict[str, Any]
) -> Iterator[Stack]:
    """Skipped together with the browser when there is none."""
    folder = tmp_path_factory.mktemp("stack") / ".local"
    port = next(port for port in iter(free_port, None) if port < 65535 and is_free(port + 1))
    log = folder.with_name("log")
    with log.open("ab") as output:
        up = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port), "--folder", str(folder)],
            cwd=PROJECT,
            env={**_plain_environment(), "SANDBOX_SPEED": SPEED},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    note, deadline = folder / "up.json", time.monotonic() + FIRST_START
    while not note.exists():
        assert up.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    yield Stack(**json.loads(note.read_text()))
    up.send_signal(signal.SIGTERM)
    assert up.wait(30) == 0
    errors = [line for line in log.read_text().splitlines() if "Traceback" in line]
    assert not errors, log.read_text()[-20_000:]


def _plain_environment() -> dict[str, str]:
    """The stack's own settings, not those of the test run."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


class Visitor:
    """A signed-in person at a browser; what the browser complains about fails the test."""

    def __init__(self, browser: Browser, stack: Stack, email: str = "", **context: Any) -> None:
        self.stack = stack
        self.context = browser.new_context(base_url=stack.console, **context)
        self.complaints: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", self._note)
        self.page.goto("/sign-in/")
        self.page.get_by_label("E-mail address").fill(email or stack.admin)
        self.page.get_by_label("Password", exact=True).fill(stack.password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/")

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _note(self, request: Request) -> None:
        # A poll that is under way when the page is left is no fault.
        if request.failure and "ERR_ABORTED" not in request.failure:
            self.complaints.append(f"{request.url}: {request.failure}")

    def scrolls_sideways(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))

    def violations(self) -> str:
        """What axe finds wrong with the page; empty when nothing."""
        results = Axe().run(self.page)
        return results.generate_report() if results.violations_count else ""

    def leave(self) -> None:
        self.context.close()
        assert self.complaints == []


@pytest.fixture
def visitor(browser: Browser, stack: Stack) -> Iterator[Visitor]:
    """The administrator at a wide screen."""
    person = Visitor(browser, stack, viewport={"width": 1440, "height": 900})
    yield person
    person.leave()
