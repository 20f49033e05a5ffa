"""The documentation names what exists, and everything that people can set or run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import get_commands

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
MAKEFILE = (PROJECT / "Makefile").read_text()
CONFIGURATION = (PROJECT / "docs" / "configuration.md").read_text()
DOCUMENTS = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    PROJECT / "CHANGELOG.md",
    *sorted((PROJECT / "docs").glob("*.md")),
]
COLUMN = 21  # after the indentation, where the tree in the README says what a path is
COMMANDS = {
    "up": "console",
    "seed": "console",
    "render": "deployments",
    "apply": "deployments",
    "export": "deployments",
    "mint_key": "metering",
    "record_usage": "metering",
    "check_ledger": "metering",
    "correct_usage": "metering",
}


def settings_read() -> set[str]:
    """Names that the settings, or a command, read from the environment."""
    found: set[str] = set()
    for file in (PROJECT / "console" / "settings.py", PROJECT / "metering" / "gateway" / "settings.py"):
        found.update(re.findall(r"\benv\.\w+\(\s*\"(\w+)\"", file.read_text()))
    for file in PROJECT.glob("*/management/commands/*.py"):
        found.update(re.findall(r"os\.environ(?:\.get\(|\[)\"(\w+)\"", file.read_text()))
    return found


def settings_told() -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", CONFIGURATION, re.MULTILINE)


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def paths_of_the_map() -> Iterator[str]:
    """Paths that the tree in the README names, from the project's folder on."""
    (block,) = re.findall(r"## The tree\n+```\n(.*?)```", README, re.DOTALL)
    folder = ""
    for line in block.splitlines():
        names, meaning = line.strip()[:COLUMN].rstrip(), line.strip()[COLUMN:]
        is_inside = line.startswith(" ")
        for name in names.split():
            yield (folder if is_inside else "") + name
        if not is_inside:
            folder = names.split()[0] if names.endswith("/") else ""
        for name in re.findall(r"(?<![\w/*])[\w/]+(?:\.py|\.md|/)(?![\w/*])", meaning):
            own = (folder + names) if is_inside and names.endswith("/") else folder
            places = ["", folder, own]
            yield next((place + name for place in places if (PROJECT / (place + name)).exists()), name)


def test_every_setting_is_documented_and_every_documented_one_is_read() -> None:
    assert sorted(settings_told()) == sorted(settings_read())


def test_the_settings_were_found_at_all() -> None:
    assert {"SECRET_KEY", "DATABASE_POOL_SIZE", "EMAIL_URL", "SLIPWAY_EXAMPLE_PASSWORD"} <= settings_read()


def test_every_check_has_its_number_in_the_table() -> None:
    ids = set(re.findall(r"id=\"slipway\.(\w+)\"", (PROJECT / "console" / "checks.py").read_text()))
    assert ids
    assert ids == set(re.findall(r"\b([EW]\d{3})\b", CONFIGURATION))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_only_targets_that_exist(document: Path) -> None:
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", document.read_text(), re.MULTILINE))
    assert named <= targets()


def test_the_readme_names_the_targets_of_everyday() -> None:
    assert set(re.findall(r"`make ([a-z-]+)", README)) >= {"up", "test", "check"}


def test_every_target_is_declared_and_explained() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == targets()
    assert targets() == set(re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE))


def test_every_module_that_the_makefile_runs_exists() -> None:
    modules = set(re.findall(r"python -m ([\w.]+)", MAKEFILE))
    assert modules
    assert [name for name in modules if find_spec(name) is None] == []


@pytest.mark.parametrize(("command", "app"), COMMANDS.items())
def test_a_command_of_the_contract_exists_and_is_documented(command: str, app: str) -> None:
    assert get_commands()[command] == app
    assert any(re.search(rf"manage\.py {command}\b|make {command}\b", path.read_text()) for path in DOCUMENTS)


def test_a_document_names_only_commands_that_exist() -> None:
    for document in DOCUMENTS:
        named = set(re.findall(r"manage\.py ([a-z_]+)", document.read_text()))
        assert named <= set(get_commands()), document.name


@pytest.mark.parametrize("path", sorted(set(paths_of_the_map())))
def test_the_map_names_only_what_exists(path: str) -> None:
    assert (PROJECT / path).exists()


def test_the_map_names_every_app_and_folder_of_the_top() -> None:
    named = {path.split("/")[0] for path in paths_of_the_map()}
    assert named >= {"console", "deployments", "metering", "templates", "static", "tests", "docs"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" not in target and not target.startswith("#"):
            assert (document.parent / target.partition("#")[0]).exists(), target
