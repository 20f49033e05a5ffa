"""Every component on one page in a real browser: accessible, in both themes, at any width, under the content policy."""

import re
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from axe_playwright_python.sync_playwright import Axe
from django import forms
from django.contrib.staticfiles import finders
from django.template import Context, Template
from django.urls import reverse

from console.presentation.widgets import ChoiceCards

ROOT = Path(__file__).parents[3]
POLICY = (
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; font-src 'self';"
    " img-src 'self'; form-action 'self'"
)
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class ResourcesForm(forms.Form):
    name = forms.CharField(help_text="Lower-case letters, digits and hyphens.")
    gpu = forms.ChoiceField(
        label="GPU model",
        choices=[("h100", "H100"), ("h200", "H200")],
        widget=ChoiceCards(facts={"h100": ["5 of 16 free"]}, refused={"h200": "Not on osl-1"}),
    )
    engine = forms.ChoiceField(choices=[("vllm", "vLLM")], required=False)
    shared = forms.MultipleChoiceField(
        choices=[("a", "Aurora Health"), ("b", "Halden Bank")],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    scale = forms.BooleanField(label="Autoscale", required=False, help_text="Off by default.")
    note = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), required=False)


class VariableForm(forms.Form):
    key = forms.CharField(label="Name")
    value = forms.CharField(required=False)


ROW = Template(
    '{% load fields %}<div class="row-fields">{% field form.key %}{% field form.value %}'
    '{% include "components/row_remove.html" with label="variable" %}</div>'
)


def guide():
    span = timedelta
    return Template((Path(__file__).parent / "guide.html").read_text()).render(
        Context(
            {
                "form": ResourcesForm({"name": "", "gpu": "h100"}),
                "rows": forms.formset_factory(VariableForm, extra=2, can_delete=True)(prefix="env"),
                "row": ROW,
                "at": datetime.now(UTC) - span(hours=3),
                "facts": [("Endpoint", "llm.example.com"), ("Reason", "")],
                "tabs": [
                    {"label": "Overview", "url": "/a/", "current": True},
                    {"label": "Logs", "url": "/b/", "count": 7},
                ],
                "stats": [
                    {
                        "name": "Needs attention",
                        "value": "2",
                        "unit": "of 9",
                        "note": "1 failed",
                        "tone": "warn",
                    }
                ],
                "phases": [
                    {
                        "label": "Queued",
                        "tone": "good",
                        "elapsed": span(seconds=2),
                        "expected": span(seconds=2),
                    },
                    {"label": "Pulling image", "tone": "bad", "elapsed": span(minutes=9), "note": "401"},
                    {"label": "Serving", "tone": "idle", "elapsed": None, "expected": span(seconds=62)},
                ],
                "findings": [
                    {
                        "tone": "bad",
                        "title": "No such tag",
                        "detail": "v1",
                        "url": "/e/",
                        "link": "Change it in Engine",
                    }
                ],
                "passed": ["Name is free"],
                "terms": [
                    {"name": "Weights", "amount": "30.5 GiB", "working": "32.8 B × 1 byte", "part": 1},
                    {"name": "Needed", "amount": "30.5 GiB", "total": True},
                ],
                "nodes": [{"name": "gpu-01", "used": 6, "mine": 2, "free": 4}],
                "text": "@@ -1 +1 @@\n-tag: v1\n+tag: v2",
                "lines": [{"text": "KV cache 88 %", "at": datetime.now(UTC), "tone": "warn"}],
                "steps": [
                    {"title": "General", "url": "/1/", "state": "done"},
                    {"title": "Engine", "url": "/2/", "state": "problem"},
                    {"title": "Resources", "url": "/3/", "current": True},
                    {"title": "Review"},
                ],
                "csrf_token": "token",
                "shell": {
                    "environment": "Production",
                    "deployment_count": 9,
                    "user_name": "Alice Berg",
                    "initials": "AB",
                    "role": "Administrator",
                    "sees_platform": True,
                },
            }
        )
    )


class Site(ThreadingHTTPServer):
    """The guide, the static files, and `/part/`, which answers what a test has put into `parts`."""

    daemon_threads = True
    request_queue_size = 128  # a page asks for all its files at once

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.html = guide()
        self.parts = []


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        if path.startswith("/static/"):
            file = Path(finders.find(path.removeprefix("/static/")))
            self.answer(200, file.read_bytes(), {"Content-Type": TYPES[file.suffix]})
        elif path == "/part/":
            self.answer(*self.server.parts.pop(0))
        else:
            policy = {"Content-Type": "text/html", "Content-Security-Policy": POLICY}
            self.answer(200, self.server.html.encode(), policy)

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Tests are quiet."""


@pytest.fixture
def site():
    with Site() as site:
        thread = Thread(target=site.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield site
        site.shutdown()
        thread.join()


@pytest.fixture
def visit(page, site):
    """Opens the guide; afterwards the browser must not have complained, but for what a test has cleared."""
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def go(theme="light", width=1280):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        page.goto(site.address)
        return page

    go.complaints = complaints
    yield go
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_every_component_is_accessible_and_fits(visit, theme, width):
    page = visit(theme, width)

    found = Axe().run(page, options={"runOnly": STANDARDS}).response["violations"]

    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_error_summary_takes_the_focus(visit):
    page = visit()

    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"


def test_the_theme_that_was_chosen_outlives_the_page(visit):
    page = visit("light")
    page.get_by_role("radio", name="Dark").check(force=True)
    page.reload()

    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.get_by_role("radio", name="Dark").is_checked()


def test_rows_are_added_and_removed_without_the_server(visit):
    page = visit()
    page.get_by_role("button", name="Add variable").click()
    page.locator("#id_env-2-key").fill("VLLM_LOGGING_LEVEL")
    page.get_by_role("button", name="Remove variable").first.click()

    assert page.locator("[data-rows-list] > *:visible").count() == 2
    sent = page.evaluate(
        "Object.fromEntries(new FormData(document.querySelector('form[aria-label=Resources]')))"
    )
    assert sent["env-TOTAL_FORMS"] == "3"
    assert sent["env-0-DELETE"] == "on"
    assert sent["env-2-key"] == "VLLM_LOGGING_LEVEL"
    assert "env-__prefix__-key" not in sent


def test_a_dialog_opens_from_the_menu_and_escape_leaves_it(visit):
    page = visit()
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Delete…").click()

    assert page.get_by_role("dialog", name="Delete llama-8b?").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#delete").is_visible()


def test_what_is_copied_is_the_text_of_the_source(visit, site, context):
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.address)
    page = visit()

    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()

    assert page.evaluate("navigator.clipboard.readText()") == "kind: ModelDeployment"


def test_a_server_in_trouble_is_told_and_the_last_facts_stay(visit, site):
    page = visit()
    site.parts += [(503, b"", {}), (200, b"Fresh facts", {})]

    page.evaluate("htmx.trigger('#part', 'refresh')")
    page.get_by_text(re.compile(r"^The server reports an error since \d\d:\d\d UTC$")).wait_for()
    assert page.locator("#part").inner_text() == "The last known facts"

    page.evaluate("htmx.trigger('#part', 'refresh')")
    page.get_by_text("Fresh facts").wait_for()
    page.locator("#connection").wait_for(state="hidden")
    visit.complaints.clear()


def test_an_ended_session_leads_to_the_sign_in_page_and_not_into_a_part(visit, site):
    page = visit()
    site.parts.append((302, b"", {"Location": reverse("account_login")}))

    with page.expect_event("load"):
        page.evaluate("htmx.trigger('#part', 'refresh')")

    assert page.locator("#part").inner_text() == "The last known facts"


def test_the_sidebar_opens_on_small_screens(visit):
    page = visit(width=390)
    assert page.locator("#sidebar").is_hidden()

    page.get_by_role("button", name="Menu", exact=True).click()
    page.get_by_role("button", name="Alice Berg").click()

    assert page.get_by_role("button", name="Sign out").is_visible()
