"""A package imports itself and lower floors; never a neighbour, never upwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.building.sources import Source, imported_names, plant, read

FLOOR = {
    "core": 0,
    **dict.fromkeys(["datasets", "models", "numerics", "plots"], 1),
    **dict.fromkeys(["engine", "perturbations"], 2),
    **dict.fromkeys(["attributions", "metrics", "concepts", "features", "alignment", "lipschitz", "utility"], 3),
    **dict.fromkeys(["lens", "serving", "evaluation"], 4),
    **dict.fromkeys(["cli", "front"], 5),
}
# Other people's packages that one place alone may import, and that a place may not.
ONLY_IN = {"deel": "xsparks.lipschitz.layers", "apache_beam": "xsparks.serving", "tensorboard": "xsparks.serving"}
NEVER_IN = {"plots": {"tensorflow", "keras"}}


def crossings(sources: list[Source]) -> list[str]:
    """The imports that the floors forbid, worded."""
    found = []
    for source in sources:
        if source.area and source.area not in FLOOR:
            found.append(f"{source.name}: `{source.area}` has no floor; give it one in this test and in docs/design.md")
            continue
        for node, module, name in imported_names(source):
            top, _, rest = module.partition(".")
            if top != "xsparks":
                home = ONLY_IN.get(top)
                if home and not (source.name + ".").startswith(home + "."):
                    found.append(f"{source.place(node)} imports {module}: only {home} may")
                if top in NEVER_IN.get(source.area, ()):
                    found.append(
                        f"{source.place(node)} imports {module}: `{source.area}` knows arrays and figures only"
                    )
                continue
            target = rest.partition(".")[0] or (name if name in FLOOR else "")
            if not source.area or target == source.area:  # the root only names what the others define
                continue
            if not target:
                if name != "__version__":
                    found.append(f"{source.place(node)} imports {name or 'xsparks'} from the root: only `__version__`")
            elif target not in FLOOR:
                found.append(f"{source.place(node)} imports xsparks.{target}, which has no floor")
            elif FLOOR[target] >= FLOOR[source.area]:
                relation = "a neighbour" if FLOOR[target] == FLOOR[source.area] else "a higher floor"
                found.append(f"{source.place(node)} imports xsparks.{target}: {relation}")
    return found


def test_no_import_crosses_a_floor() -> None:
    assert crossings(read()) == []


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "core/errors.py",
            "from ..engine import Explainer",
            "xsparks.core.errors:1 imports xsparks.engine: a higher floor",
        ),
        (
            "core/errors.py",
            "import xsparks.models.access",
            "xsparks.core.errors:1 imports xsparks.models: a higher floor",
        ),
        ("metrics/deletion.py", "from ..attributions.rise import RISE", "imports xsparks.attributions: a neighbour"),
        (
            "engine/loop.py",
            "def f():\n    from .. import attributions",
            "xsparks.engine.loop:2 imports xsparks.attributions",
        ),
        ("engine/__init__.py", "from ..cli import main", "xsparks.engine:1 imports xsparks.cli: a higher floor"),
        (
            "plots/maps.py",
            "from importlib import import_module\nimport_module('..models', 'x')",
            "xsparks.models: a neighbour",
        ),
        ("plots/maps.py", "import tensorflow as tf", "`plots` knows arrays and figures only"),
        ("engine/loop.py", "from xsparks import Deletion", "imports Deletion from the root"),
        ("gadgets/one.py", "", "`gadgets` has no floor"),
        ("core/errors.py", "from ..gadgets import one", "imports xsparks.gadgets, which has no floor"),
        ("alignment/fit.py", "import deel.lip", "only xsparks.lipschitz.layers may"),
    ],
)
def test_a_planted_crossing_is_found(tmp_path: Path, path: str, text: str, expected: str) -> None:
    assert any(expected in line for line in crossings(plant(tmp_path, {path: text})))


def test_what_is_allowed_is_let_through(tmp_path: Path) -> None:
    files = {
        "attributions/sobol.py": "from ..engine.plan import Plan\nfrom .designs import rows\nimport numpy as np",
        "engine/explanation.py": "from .. import __version__\nfrom ..core import errors",
        "lens/gather.py": "from ..attributions import RISE\nfrom ..metrics import Deletion",
        "lipschitz/layers.py": "from deel.lip import layers",
        "__init__.py": "from .metrics import Deletion as Deletion",
    }
    assert crossings(plant(tmp_path, files)) == []
