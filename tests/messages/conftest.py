"""`test_every_raise` looks at what the other tests of this folder raised, so it comes last."""

from __future__ import annotations

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Moves it to the end; the other tests keep their order."""
    items.sort(key=lambda item: item.path.name == "test_every_raise.py")
