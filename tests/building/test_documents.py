"""The documents are true: the site builds, the examples run, every public name has its place, the versions agree."""

from __future__ import annotations

import importlib.util
import re
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

import xsparks
from tests.building.sources import ROOT, Source, environment, plant, read

# `datasets` re-exports a module, which has a section of its own; the command line is a how-to page.
ELSEWHERE = {"datasets", "cli"}
EXAMPLES = (
    "README.md",
    "docs/index.md",
    "docs/how-to/first_map.md",
    "docs/how-to/concepts.md",
    "docs/how-to/feature_visualisation.md",
    "docs/how-to/tasks.md",
    "docs/how-to/human_study.md",
    "docs/how-to/evaluate_methods.md",
    "docs/how-to/algorithmic_stability.md",
    "docs/how-to/verified_maps.md",
    "docs/how-to/harmonize.md",
    "docs/how-to/lipschitz.md",
)


def exported(sources: list[Source]) -> set[str]:
    """The dotted names that the sub-packages re-export: `xsparks.metrics.Deletion`."""
    found = set()
    for source in sources:
        if source.is_package and source.name.count(".") == 1:
            names = re.findall(r"^from \.\S* import (\w+) as \1$", source.text, flags=re.MULTILINE)
            found |= {f"{source.name}.{name}" for name in names}
    return found


def python_blocks(text: str) -> list[str]:
    """The Python code of a Markdown page, that of lists included."""
    blocks = re.findall(r"^( *)```python\n(.*?)^\1```", text, flags=re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for _, block in blocks]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, built as `make docs` builds it: strictly."""
    folder = tmp_path_factory.mktemp("site")
    ran = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        check=False,
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").rglob("index.html"))
    names = {name for name in exported(read()) if name.split(".")[1] not in ELSEWHERE}
    assert {name for name in names if f'id="{name}"' not in pages} == set()


def test_every_package_has_a_reference_page_on_the_map() -> None:
    packages = {source.area for source in read() if source.is_package and source.name.count(".") == 1}
    site_map = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert {area for area in packages - {"cli"} if f"reference/{area}.md" not in site_map} == set()


def test_every_module_of_a_package_without_a_list_is_in_the_reference() -> None:
    sources = read()
    listing = {name.rpartition(".")[0] for name in exported(sources)}
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    modules = {source.name for source in sources if source.name.count(".") == 2 and not source.is_package}
    unlisted = {name for name in modules if name.rpartition(".")[0] not in listing and f"::: {name}\n" not in pages}
    assert unlisted == set()


def test_exported_names_are_read_from_the_lists(tmp_path: Path) -> None:
    files = {
        "metrics/__init__.py": "from .one import Deletion as Deletion\nfrom ..core import wording\nimport numpy as np"
    }
    assert exported(plant(tmp_path, files)) == {"xsparks.metrics.Deletion"}


@pytest.mark.parametrize("page", EXAMPLES)
def test_the_examples_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = python_blocks((ROOT / page).read_text(encoding="utf-8"))
    assert blocks
    script = tmp_path / "example.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    runpy.run_path(str(script))


def test_the_method_that_contributing_adds_is_gradient_times_input(tmp_path: Path) -> None:
    (block,) = python_blocks((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    script = tmp_path / "method.py"
    script.write_text(block, encoding="utf-8")
    method = runpy.run_path(str(script))["GradientTimesInput"]
    weights = np.array([2.0, -1.0, 0.5, 3.0], dtype="float32")
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([weights[:, None]])
    image = np.array([1.0, 2.0, -4.0, 0.5], dtype="float32")
    maps = method(model, operator="regression").explain(image.reshape(1, 2, 2, 1), 0)
    np.testing.assert_allclose(np.asarray(maps).ravel(), weights * image, rtol=1e-6)


def test_links_between_the_documents_of_the_repository_lead_somewhere() -> None:
    lost = []
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
            if "://" not in target and not (ROOT / target).exists():
                lost.append(f"{page}: {target}")
    assert lost == []


def test_the_versions_agree() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {xsparks.__version__}\n" in citation
    assert xsparks.__version__ in changes


def test_docstrings_become_markdown() -> None:
    docstring = (
        "What is it?\n\nParameters\n----------\nsteps, size : `(n,)`; how many,\n    at most.\nseed\n    a number.\n\n"
        "Cost\n----\nOne forward.\n\nExample\n-------\n>>> [1, 2]\n[1, 2]"
    )
    assert _reader_of_docstrings().as_markdown(docstring) == (
        "What is it?\n\n**Parameters**\n\n- `steps`, `size`: `(n,)`; how many, at most.\n- `seed`: a number.\n\n"
        "**Cost**\n\nOne forward.\n\n**Example**\n\n```pycon\n>>> [1, 2]\n[1, 2]\n```"
    )


def _reader_of_docstrings() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docstrings", ROOT / "docs" / "docstrings.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
