"""A QR code as the path of an SVG, so that a page can draw it under a policy without inline styles or data images."""

from dataclasses import dataclass

import qrcode  # type: ignore[import-untyped]


@dataclass(frozen=True, slots=True)
class Code:
    """Squares in units of one module; `size` is the side of the picture with its quiet zone."""

    size: int
    path: str


def draw(text: str) -> Code:
    code = qrcode.QRCode(border=4, error_correction=qrcode.ERROR_CORRECT_M)
    code.add_data(text)
    rows = code.get_matrix()
    squares = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return Code(len(rows), "".join(squares))
