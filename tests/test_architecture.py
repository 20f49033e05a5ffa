"""The rules of the house that import-linter cannot state. The map itself is in docs/architecture.md."""

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
TOP_LEVEL = {
    *(
        "manage.py",
        "pyproject.toml",
        "README.md",
        "console",
        "deployments",
        "metering",
        "templates",
        "static",
        "tests",
    ),
    *(
        "Makefile",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Dockerfile",
        "compose.yaml",
        "docs",
        "charts",
    ),
    *("requirements.lock", "requirements-dev.lock", "requirements-bootstrap.lock"),
}
LONGEST_FILE = 400
NAMES_THAT_SAY_NOTHING = {"utils", "helpers", "misc", "services", "common_utils", "tools"}
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK|coming soon|lorem ipsum)\b", re.IGNORECASE)
SIGNALS = re.compile(
    r"\b(pre_save|post_save|pre_delete|post_delete|m2m_changed)\b.*(connect|receiver)|@receiver\b"
)


def tracked(*patterns: str) -> list[Path]:
    """The files of the repository, without what a developer has lying about."""
    if not (PROJECT / ".git").exists():
        pytest.skip("not a git checkout, so the repository's own files cannot be told from others")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    return [PROJECT / name for name in listed.split("\0") if name and (PROJECT / name).is_file()]


def sources() -> list[Path]:
    return [path for path in tracked("*.py") if "migrations" not in path.parts]


def test_the_top_level_holds_what_the_map_says() -> None:
    found = {path.relative_to(PROJECT).parts[0] for path in tracked()}
    assert {name for name in found if not name.startswith(".")} <= TOP_LEVEL


def test_a_file_is_short_enough_to_have_one_subject() -> None:
    lengths = {str(path.relative_to(PROJECT)): len(path.read_text().splitlines()) for path in sources()}
    assert lengths
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_a_file_is_called_by_its_subject() -> None:
    assert [str(path) for path in sources() if path.stem in NAMES_THAT_SAY_NOTHING] == []


def test_a_module_says_what_it_owns() -> None:
    silent = [
        str(path.relative_to(PROJECT))
        for path in sources()
        if path.name != "apps.py"  # only the few lines that Django asks for
        and path.read_text().strip()
        and not path.read_text().lstrip().startswith(('"""', "#!"))
    ]
    assert silent == []


def test_nothing_is_left_for_later() -> None:
    found = [
        f"{path.relative_to(PROJECT)}:{number}"
        for path in tracked("*.py", "*.html", "*.js", "*.css", "*.md", "*.lua")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if MARKS.search(line)
    ]
    assert found == []


def test_our_own_flow_uses_no_signals() -> None:
    assert [
        str(path) for path in sources() if path != Path(__file__) and SIGNALS.search(path.read_text())
    ] == []


def test_the_lock_files_name_no_address() -> None:
    assert [path.name for path in tracked("*.lock") if "://" in path.read_text()] == []


def test_what_is_installed_for_development_contains_what_runs() -> None:
    def versions(name: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9][^ ;\\]*==[^ ;\\]+", (PROJECT / name).read_text(), re.MULTILINE))

    assert versions("requirements.lock")
    assert versions("requirements.lock") <= versions("requirements-dev.lock")
