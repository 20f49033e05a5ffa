"""Cells of files that people open in a spreadsheet."""

#: What makes a spreadsheet read a cell as a formula, when it stands first.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


def neutral(text: str) -> str:
    """A cell that is text whatever it begins with (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text
