"""docs/security.md points to tests that are there, and leaves out no requirement of its chapters."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).parents[3]
TEXT = (PROJECT / "docs" / "security.md").read_text()
NAMED = re.findall(r"([\w/]+\.py)::(\w+)", TEXT)
#: How many requirements of levels 1 and 2 each section of ASVS 5.0 has, counted from its first.
SECTIONS = {
    "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
    "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1,
    "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5,
    "14.1": 2, "14.2": 4, "14.3": 3,
    "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3,
}  # fmt: skip


def functions_of(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


def told() -> list[tuple[str, str]]:
    """Each requirement, and what is said to hold it."""
    found = []
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("| ") else [""]
        for part in cells[0].split(", "):
            if span := re.fullmatch(r"(\d+\.\d+)\.(\d+) to \1\.(\d+)", part):
                found += [(f"{span[1]}.{n}", cells[2]) for n in range(int(span[2]), int(span[3]) + 1)]
            elif re.fullmatch(r"\d+\.\d+\.\d+", part):
                found.append((part, cells[2]))
    return found


def test_every_test_that_it_names_is_there() -> None:
    assert len(NAMED) > 80
    missing = [f"{file}::{name}" for file, name in NAMED if not (PROJECT / "tests" / file).is_file()]
    missing += [
        f"{file}::{name}"
        for file, name in NAMED
        if (PROJECT / "tests" / file).is_file() and name not in functions_of(PROJECT / "tests" / file)
    ]
    assert missing == []


def test_every_requirement_has_one_line() -> None:
    wanted = [f"{section}.{number}" for section, count in SECTIONS.items() for number in range(1, count + 1)]
    assert sorted(number for number, _ in told()) == sorted(wanted)


def test_every_line_has_a_test_or_says_why_there_is_none() -> None:
    reasons = (
        "not applicable: ",
        "for who runs it: ",
        "[operations.md]",
        "[access.md]",
        "*Ways in* above",
        "*What is",
    )
    silent = [
        number for number, held in told() if not re.search(r"\.py::\w", held) and not held.startswith(reasons)
    ]
    assert silent == []
