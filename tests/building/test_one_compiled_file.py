"""One engine compiles: `tf.function` stands in one file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.building.sources import Source, imported_names, plant, read

COMPILED = "xsparks.engine.compiled"


def compiling(sources: list[Source]) -> list[str]:
    """The places that compile: `function` reached through TensorFlow's name, or imported from it."""
    found = []
    for source in sources:
        aliases = {"tf", "tensorflow"}
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Import):
                aliases |= {each.asname for each in node.names if each.asname and each.name.startswith("tensorflow")}
        for node in ast.walk(source.tree):
            reached = ast.unparse(node.value).partition(".")[0] if isinstance(node, ast.Attribute) else ""
            if reached in aliases and isinstance(node, ast.Attribute) and node.attr == "function":
                found.append(source.place(node))
        for node, module, name in imported_names(source):
            if module.partition(".")[0] == "tensorflow" and name in {"function", "def_function"}:
                found.append(source.place(node))
    return found


def test_one_file_compiles() -> None:
    assert {place.rpartition(":")[0] for place in compiling(read())} <= {COMPILED}


@pytest.mark.parametrize(
    "text",
    [
        "import tensorflow as tf\n\n@tf.function\ndef step(x):\n    return x",
        "import tensorflow as tf\nstep = tf.function(len, jit_compile=True)",
        "from tensorflow import function\nstep = function(len)",
        "import tensorflow.compat.v2 as tf2\nstep = tf2.function(len)",
    ],
)
def test_a_planted_compilation_is_found(tmp_path: Path, text: str) -> None:
    sources = plant(tmp_path, {"engine/compiled.py": text, "metrics/deletion.py": text})
    assert {place.rpartition(":")[0] for place in compiling(sources)} == {COMPILED, "xsparks.metrics.deletion"}


@pytest.mark.parametrize(
    "text", ['"""Never call tf.function( here."""\n# tf.function', "def f(plan):\n    plan.function(3)"]
)
def test_what_only_looks_like_it_is_no_compilation(tmp_path: Path, text: str) -> None:
    assert compiling(plant(tmp_path, {"core/prose.py": text})) == []
