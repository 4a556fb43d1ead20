"""Explain vision models: where a model looks, and whether such a map can be trusted.

The names below are loaded when they are first used, so that `import xsparks` and `xsparks --help` do not start
TensorFlow.

Example
-------
>>> import xsparks
>>> xsparks.SobolAttribution.__name__
'SobolAttribution'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .core.errors import nearest

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .attributions import SobolAttribution as SobolAttribution
    from .engine import Explanation as Explanation
    from .engine import Score as Score
    from .evaluation import Benchmark as Benchmark
    from .front import compare as compare
    from .front import evaluate as evaluate
    from .front import explain as explain
    from .metrics import Deletion as Deletion
    from .metrics import Insertion as Insertion

# A test holds this table equal to the imports above.
_PACKAGE_OF = {
    "SobolAttribution": "attributions",
    "Explanation": "engine",
    "Score": "engine",
    "Benchmark": "evaluation",
    "compare": "front",
    "evaluate": "front",
    "explain": "front",
    "Deletion": "metrics",
    "Insertion": "metrics",
}


def __getattr__(name: str) -> object:
    if name not in _PACKAGE_OF:
        raise AttributeError(f"module `xsparks` has no attribute {name!r}. {nearest(name, _PACKAGE_OF)}")
    return getattr(import_module(f".{_PACKAGE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PACKAGE_OF])
