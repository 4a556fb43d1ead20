"""What every test shares: a quiet TensorFlow, figures without a screen, the folder of real data."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Before anything imports TensorFlow or matplotlib: both read these once.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["MPLBACKEND"] = "Agg"

ROOT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Every test by itself, but one process for what belongs together.

    That is all of `tests/messages`, whose last test looks at what others raised, and the contracts of one explainer,
    which share what they traced.

    The groups of pytest-xdist 3.8 would say so in a mark, but do not work with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class OneFolderTogether(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith("tests/messages/"):
                return "messages"
            explainer = re.match(r"tests/contracts/test_explainers\.py.*?[\[-]([A-Z]\w+)", nodeid)
            return explainer[1] if explainer else nodeid

    return OneFolderTogether(config, log)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of models and photographs: XSPARKS_DATA, else ../shared/data beside the repository."""
    named = os.environ.get("XSPARKS_DATA")
    if named:
        if not Path(named).is_dir():
            pytest.fail(f"XSPARKS_DATA={named} is not a folder")
        return Path(named)
    beside = ROOT.parent / "shared" / "data"
    if not beside.is_dir():
        pytest.skip("no real networks and photographs here: set XSPARKS_DATA to the folder that holds them")
    return beside


@pytest.fixture(autouse=True)
def _real_tests_have_their_data(request: pytest.FixtureRequest) -> None:
    """A test marked `imagenet` needs the folder, whether it asks for the path or not."""
    if request.node.get_closest_marker("imagenet"):
        request.getfixturevalue("data_folder")


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
