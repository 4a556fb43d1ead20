"""The notebooks run from the first cell to the last, and are committed without what they print."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.building.sources import ROOT, environment

NOTEBOOKS = sorted((ROOT / "tutorials").glob("*.ipynb"))


def leftovers(notebook: nbformat.NotebookNode) -> list[str]:
    """The code cells that still hold an output or the number of an execution."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell.source.splitlines()[0] for cell in cells if cell.outputs or cell.execution_count is not None]


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook that fits the format."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    assert leftovers(read_notebook(path)) == []


def test_an_output_left_in_is_found() -> None:
    printed = nbformat.v4.new_output("stream", text="1")
    cells = [nbformat.v4.new_code_cell("print(1)", outputs=[printed]), nbformat.v4.new_code_cell("x = 1")]
    assert leftovers(nbformat.v4.new_notebook(cells=cells)) == ["print(1)"]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    client = NotebookClient(
        read_notebook(path), timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    # What the user has set up for IPython is not part of the test.
    client.execute(env={**environment(), "IPYTHONDIR": str(tmp_path / "ipython")})
