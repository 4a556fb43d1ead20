"""The colour bar of an overlay as a gradient of the page, with the numbers at its ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..plots import shading

_STOPS = 13
_OPACITY = 0.65  # that of `plots.overlay`
_UNDER = 0.85  # the light gray that the colours lie on, as in the bars of `plots`


def scale_of(values: np.ndarray) -> dict[str, Any]:
    """Which values do the ends of an overlay's colours stand for?

    Parameters
    ----------
    values : `(h, w, 1)`, the map as `plots.overlay` gets it.

    Returns
    -------
    scale : `low`, `high`: the values of the ends; `largest`: the highest value, above `high` where few were cut;
        `signed`; `constant`: nothing to tell apart; `peak`: where the highest value is, row and column as fractions of
        the picture.
    """
    signed = shading.is_signed(values, None)
    limits = shading.value_range(values, signed, "auto")
    row, column = np.unravel_index(int(np.argmax(values[..., 0])), values.shape[:2])
    return {
        "low": limits.low,
        "high": limits.high,
        "largest": limits.largest,
        "signed": signed,
        "constant": limits.constant,
        "peak": [(int(row) + 0.5) / values.shape[0], (int(column) + 0.5) / values.shape[1]],
    }


def gradient(signed: bool) -> str:
    """The colours of an overlay from its lowest to its highest value, as CSS.

    Example
    -------
    >>> gradient(signed=False).startswith("linear-gradient(to right, rgb(")
    True
    """
    table = shading.colours(None, signed, _OPACITY, "gradient")(np.linspace(0, 1, _STOPS))
    mixed = table[:, 3:] * table[:, :3] + (1 - table[:, 3:]) * _UNDER
    stops = ", ".join("rgb({}, {}, {})".format(*np.round(255 * colour).astype(int)) for colour in mixed)
    return f"linear-gradient(to right, {stops})"


def number(value: float) -> str:
    """Three significant digits, with a true minus sign.

    Example
    -------
    >>> number(0.012345), number(-12.0), number(1234.5), number(2.5e-7)
    ('0.0123', '−12', '1234', '2.5e−7')
    """
    if value and abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        text = f"{float(mantissa):g}e{int(exponent)}"
    else:
        text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}")


def place(peak: tuple[float, float]) -> str:
    """Where a point of the picture is, in words.

    Example
    -------
    >>> place((0.1, 0.5)), place((0.5, 0.5)), place((0.9, 0.9))
    ('at the top', 'in the centre', 'at the bottom right')
    """
    rows, columns = ("top", "", "bottom"), ("left", "", "right")
    words = " ".join(filter(None, [rows[min(2, int(3 * peak[0]))], columns[min(2, int(3 * peak[1]))]]))
    return f"at the {words}" if words else "in the centre"
