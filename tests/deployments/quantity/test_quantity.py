"""Kubernetes quantities are read exactly, and everything else is refused."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments import quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("4", "4"),
        ("500m", "0.5"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("24Gi", str(24 * 1024**3)),
        ("1.5Gi", str(3 * 1024**3 // 2)),
        ("1k", "1000"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1E", str(10**18)),
        ("100u", "0.0001"),
        ("1Ei", str(1024**6)),
    ],
)
def test_a_quantity_has_its_exact_value(text: str, value: str) -> None:
    assert quantity.parse(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1Gb",
        "1gi",
        "-1",
        "+1",
        "1 Gi",
        "Gi",
        ".",
        "1e9Gi",
        "1,5",
        "٣",
        "1Gi\n",
        "nan",
        "inf",
        "0x10",
        "1e",
    ],
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Kubernetes quantity"):
        quantity.parse(text)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert quantity.parse(text) >= 0


@given(st.integers(0, 2**70))
def test_bytes_survive_being_written(size: int) -> None:
    if size < 10**18:
        assert quantity.to_bytes(quantity.from_bytes(size)) == size


def test_parts_of_a_unit_are_rounded_up() -> None:
    assert quantity.to_bytes("100m") == 1
    assert quantity.to_millicores("1500u") == 2


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (32749125632, "30.5 GiB"),
        (100 * 1024**3, "100 GiB"),
    ],
)
def test_sizes_are_shown_in_binary_units(size: int, shown: str) -> None:
    assert quantity.show_bytes(size) == shown
