"""How the tests of messages provoke one: the kind of the error and its words."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models
from xsparks.attributions import SobolAttribution

# Where the errors were raised: `test_every_raise` holds this against the source.
RAISED: set[tuple[Path, int]] = set()
X = models.images(5)
TARGETS = np.array([0, 1, 2, 3, 1])


@cache
def network() -> Any:
    """One convolutional network for all tests that do not change it."""
    return models.convolutional()


def sobol(model: Any = None, **options: Any) -> SobolAttribution:
    """The method with options that make it quick on tiny images."""
    return SobolAttribution(
        network() if model is None else model, **{"grid_size": (2, 3), "nb_design": 4, "smooth": False, **options}
    )


def says(kind: type[Exception], text: str, call: Callable[[], Any]) -> Exception:
    """The call must raise exactly this kind of error, whose message holds this text; returns the error."""
    with pytest.raises(kind) as caught:
        call()
    RAISED.update((Path(entry.path), entry.lineno + 1) for entry in caught.traceback[-1:])
    if caught.value.__cause__ is not None:
        # What an error says may be worded where its cause was raised.
        *_, (frame, line) = traceback.walk_tb(caught.value.__cause__.__traceback__)
        RAISED.add((Path(frame.f_code.co_filename), line))
    assert type(caught.value) is kind
    assert text in str(caught.value), f"the message is: {caught.value}"
    return caught.value
