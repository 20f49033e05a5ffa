"""Numbers, money, sizes and shares read the same everywhere."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.presentation import figures


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (0, None, "0"),
        (6788, None, "6,788"),
        (-1234, None, "-1,234"),
        (Decimal("1234.50"), None, "1,234.50"),
        (Decimal("0.125"), 2, "0.13"),
        (7, 1, "7.0"),
        (None, None, "–"),
    ],
)
def test_numbers_have_commas_and_the_digits_asked_for(value, places, text):
    assert figures.grouped(value, places) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (999_999, "999,999"),
        (1_000_000, "1.0 M"),
        (61_700_000, "61.7 M"),
        (999_949_999, "999.9 M"),
        (999_950_000, "1.00 B"),
        (2_410_000_000, "2.41 B"),
        (None, "–"),
    ],
)
def test_large_counts_are_shortened_to_millions_and_billions(value, text):
    assert figures.compact(value) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (Decimal("7.2"), "USD", "$7.20"),
        (Decimal("0.55"), "EUR", "€0.55"),
        (Decimal("0.0004"), "USD", "$0.0004"),
        (Decimal("5256"), "USD", "$5,256.00"),
        (Decimal("1284.200000"), "GBP", "£1,284.20"),
        (Decimal("-3.5"), "USD", "-$3.50"),
        (Decimal("900"), "JPY", "¥900"),
        (Decimal("1E+3"), "USD", "$1,000.00"),
        (Decimal("7.2"), "CHF", "CHF 7.20"),
        (None, "USD", "–"),
    ],
)
def test_money_keeps_every_digit_of_the_amount(amount, currency, text):
    assert figures.money(amount, currency) == text


@given(st.decimals(min_value=0, max_value=10**9, places=12))
def test_money_never_rounds(amount):
    assert Decimal(figures.money(amount).removeprefix("$").replace(",", "")) == amount


@pytest.mark.parametrize(
    ("count", "binary", "text"),
    [
        (0, True, "0 B"),
        (1023, True, "1,023 B"),
        (1024, True, "1 KiB"),
        (int(Decimal("30.5") * 2**30), True, "30.5 GiB"),
        (80 * 2**30, True, "80 GiB"),
        (14_200_000_000, False, "14.2 GB"),
        (3 * 1024**6, True, "3,072 PiB"),
        (None, True, "–"),
    ],
)
def test_sizes_take_the_largest_fitting_unit(count, binary, text):
    assert figures.size(count, binary=binary) == text


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [
        (92_400, 200_000, "46.2"),
        (3, 2, "100"),
        (0, 5, "0"),
        (5, 0, "0"),
        (None, 5, "0"),
        (5, None, "0"),
        (-1, 5, "0"),
    ],
)
def test_a_share_stays_within_its_bar(part, whole, percent):
    assert figures.share(part, whole) == Decimal(percent)


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Alice Berg", "AB"),
        ("bob@acme.example", "B"),
        ("ada.king.lovelace@x.example", "AL"),
        ("", ""),
        ("- -", ""),
    ],
)
def test_initials_are_those_of_the_first_and_last_word(name, letters):
    assert figures.initials(name) == letters
