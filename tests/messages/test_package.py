"""The words of `xsparks` itself."""

from __future__ import annotations

import pytest

import xsparks


def test_an_unknown_name_gets_the_nearest_ones() -> None:
    with pytest.raises(AttributeError) as caught:
        _ = xsparks.Explanations  # pyright: ignore[reportAttributeAccessIssue]
    assert (
        str(caught.value)
        == "module `xsparks` has no attribute 'Explanations'. Nearest: Explanation, explain, Deletion."
    )
