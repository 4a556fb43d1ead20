"""The concrete explainers and metrics of the package, found by importing every module."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache


@cache
def concrete(kind: str) -> tuple[type, ...]:
    """All concrete subclasses of `xsparks.engine.Explainer` or `Metric` that the package defines, by name.

    A class counts by itself, whether or not a registry or an `__init__` knows it: the tests hold those against this.
    """
    import xsparks

    for module in pkgutil.walk_packages(xsparks.__path__, "xsparks."):
        importlib.import_module(module.name)
    base = getattr(importlib.import_module("xsparks.engine"), kind)
    found: set[type] = set()
    pending = [base]
    while pending:
        for child in pending.pop().__subclasses__():
            pending.append(child)
            if child.__module__.startswith("xsparks.") and not inspect.isabstract(child):
                found.add(child)
    return tuple(sorted(found, key=lambda each: each.__qualname__))
