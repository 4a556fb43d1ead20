"""`test_every_raise` looks at what the other tests of this folder raised, so it comes last."""

from __future__ import annotations

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    """One process runs the whole folder, since what was raised is remembered in memory."""
    item.add_marker(pytest.mark.xdist_group("messages"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Moves it to the end; the other tests keep their order."""
    items.sort(key=lambda item: item.path.name == "test_every_raise.py")
